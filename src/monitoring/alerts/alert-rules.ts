import { Inject, Injectable } from '@nestjs/common';
import { type AlertLevels, MONITORING_SETTINGS, type MonitoringSettings } from '../../config/index.js';
import type { HealthStatus } from '../health/health-check.js';
import type { Measured } from '../snapshot/snapshot-reader.js';
import type { AlertUnit } from './alert.js';

/** One thing that has limits, as it is now. */
export interface Measurement {
  /** Unique. */
  name: string;
  /** What it is, as the begin of a message: `The p95 of requests`. */
  title: string;
  unit: AlertUnit;
  /** Whether it is wrong above its limits or below them. */
  worse: 'higher' | 'lower';
  levels: AlertLevels;
  /** Null: there is nothing to judge, which is well. Undefined: it could not be read. */
  value: number | null | undefined;
}

/** With less in the last minute, a share or a percentile says too little. */
const MIN_REQUESTS = 20;
const MIN_COMMANDS = 20;
const MIN_LOOKUPS = 500;

/** Beyond 0: degraded; beyond 1: down. */
const STATE_LEVELS: AlertLevels = { warning: 0, critical: 1 };
const states: Readonly<Record<HealthStatus, number>> = { up: 0, degraded: 1, down: 2 };

/** Checks that are alerts as they are. What the others look at has limits of its own here. */
const WATCHED_CHECKS = ['database', 'redis'] as const;

type Part = Omit<Measurement, 'levels' | 'worse'> & { levels: AlertLevels | null; worse?: 'lower' };

/** What is compared with limits, and with which. */
@Injectable()
export class AlertRules {
  constructor(@Inject(MONITORING_SETTINGS) private readonly settings: MonitoringSettings) {}

  measure(measured: Measured): Measurement[] {
    const parts = [
      ...this.ofTraffic(measured),
      ...this.ofBacklogs(measured),
      ...this.ofProcess(measured),
      ...this.ofStates(measured),
    ];
    return parts.flatMap(({ levels, worse, ...part }): Measurement[] =>
      levels ? [{ ...part, worse: worse ?? 'higher', levels }] : [],
    );
  }

  private ofTraffic({ requests, database, cache }: Measured): Part[] {
    const { settings } = this;
    return [
      {
        name: 'error_ratio',
        title: 'The share of requests that failed (5xx)',
        unit: 'ratio',
        levels: settings.ALERT_ERROR_RATIO,
        value: requests.count >= MIN_REQUESTS ? requests.errorRatio : null,
      },
      {
        name: 'request_p95',
        title: 'The p95 of requests',
        unit: 'ms',
        levels: settings.ALERT_REQUEST_P95_MS,
        value: requests.count >= MIN_REQUESTS ? requests.p95Ms : null,
      },
      {
        name: 'database_p95',
        title: 'The p95 of database commands',
        unit: 'ms',
        levels: settings.ALERT_DATABASE_P95_MS,
        value: database.total.count >= MIN_COMMANDS ? database.total.p95Ms : null,
      },
      {
        name: 'pool_waiting',
        title: 'Operations waiting for a connection of the database pool',
        unit: 'count',
        levels: settings.ALERT_POOL_WAITING,
        value: database.pool.waiting,
      },
      {
        name: 'cache_hit_ratio',
        title: 'The share of lookups that the cache had',
        unit: 'ratio',
        worse: 'lower',
        levels: settings.ALERT_CACHE_HIT_RATIO,
        value: cache.lookups >= MIN_LOOKUPS ? cache.hitRatio : null,
      },
    ];
  }

  private ofBacklogs({ queues, transcripts }: Measured): Part[] {
    const levels = this.settings.ALERT_BACKLOG_AGE_MS;
    return [
      ...(queues ?? []).map(({ name, oldestWaitingMs }): Part => ({
        name: `backlog:${name}`,
        title: `The longest wait in queue "${name}"`,
        unit: 'ms',
        levels,
        value: oldestWaitingMs,
      })),
      {
        name: 'backlog:transcripts',
        title: 'The age of the oldest transcript that is not stored',
        unit: 'ms',
        levels,
        value: transcripts?.oldestMs,
      },
    ];
  }

  private ofProcess({ process, disk }: Measured): Part[] {
    const { settings } = this;
    return [
      {
        name: 'heap',
        title: 'The heap in use, of the largest there may be,',
        unit: 'ratio',
        levels: settings.ALERT_MEMORY_RATIO,
        value: process.heapUsedBytes / process.heapLimitBytes,
      },
      {
        name: 'memory',
        title: 'The memory of the process, of what it may have,',
        unit: 'ratio',
        levels: settings.ALERT_MEMORY_RATIO,
        value: process.rssBytes / process.memoryLimitBytes,
      },
      {
        name: 'event_loop_lag',
        title: 'The p99 of the event loop lag',
        unit: 'ms',
        levels: settings.ALERT_EVENT_LOOP_LAG_MS,
        value: process.eventLoopLagP99Ms,
      },
      {
        name: 'disk_free',
        title: 'The free space on the disk of DATA_DIR',
        unit: 'bytes',
        worse: 'lower',
        levels: { warning: settings.HEALTH_DISK_MIN_BYTES, critical: settings.HEALTH_DISK_CRITICAL_BYTES },
        value: disk?.freeBytes,
      },
    ];
  }

  private ofStates({ health }: Measured): Part[] {
    return WATCHED_CHECKS.flatMap((name): Part[] => {
      const check = health.checks[name];
      if (!check) return [];
      return [
        {
          name,
          title: name === 'redis' ? 'Redis' : 'The database',
          unit: 'state',
          levels: STATE_LEVELS,
          value: states[check.status],
        },
      ];
    });
  }
}
