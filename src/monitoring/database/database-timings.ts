import {
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { Gauge } from 'prom-client';
import { MONITORING_SETTINGS, type MonitoringSettings } from '../../config/index.js';
import { type CommandEndListener, DatabaseService } from '../../database/index.js';
import { currentContext, LOGGER, type Logger } from '../../logging/index.js';
import { DurationMetric } from '../metrics/duration-metric.js';
import { METRIC_PREFIX, Metrics } from '../metrics/metrics.js';
import type { Durations } from '../timings/durations.js';
import { PerformanceMonitor } from '../timings/performance-monitor.js';
import { SlowOperations } from '../timings/slow-operations.js';
import { TrafficMeter } from '../timings/traffic-meter.js';
import { PoolWarnings } from './pool-warnings.js';
import { SlowCommands } from './slow-commands.js';

const PREFIX = `${METRIC_PREFIX}database_`;
/** Seconds. */
const COMMAND_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const WAIT_BUCKETS = [0.0001, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export const PING_INTERVAL_MS = 30_000;
const PING_TIMEOUT_MS = 5000;
/** Begins the names of commands in PerformanceMonitor. */
export const COMMAND_PREFIX = 'db ';
/** The operation of the pings there. */
export const PING_OPERATION = `${COMMAND_PREFIX}round trip`;

/** Times the commands of this process by name, what they wait for a connection, and a ping from time to time. */
@Injectable()
export class DatabaseTimings implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy {
  private readonly commands: DurationMetric<'command' | 'outcome'>;
  private readonly waits: DurationMetric<'outcome'>;
  private readonly pings: DurationMetric<'outcome'>;
  /** Series by command, so that no labels are put together for each. */
  private readonly succeeded = new Map<string, Durations>();
  private readonly failed = new Map<string, Durations>();
  private readonly slow: SlowCommands;
  private readonly warnings: PoolWarnings;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly monitor: PerformanceMonitor,
    private readonly traffic: TrafficMeter,
    slowOperations: SlowOperations,
    private readonly metrics: Metrics,
    private readonly database: DatabaseService,
    @Inject(MONITORING_SETTINGS) private readonly settings: MonitoringSettings,
    @Inject(LOGGER) logger: Logger,
  ) {
    this.slow = new SlowCommands({
      logger,
      onSlow: (operation) => {
        slowOperations.note(operation);
      },
      explain: (databaseName, command) => database.explain(databaseName, command),
    });
    this.warnings = new PoolWarnings(logger);
    this.commands = this.histogram(
      'command_duration_seconds',
      'Commands by name, from sending to the answer',
      ['command', 'outcome'],
    );
    this.waits = this.histogram(
      'pool_wait_seconds',
      'What operations waited for a connection of the pool',
      ['outcome'],
      WAIT_BUCKETS,
    );
    this.pings = this.histogram('ping_duration_seconds', 'Round trips that do nothing, one every 30 s', [
      'outcome',
    ]);
    this.poolGauges();
  }

  onModuleInit(): void {
    if (this.settings.MONITORING === 'off') return;
    this.database.observe({
      onEnd: this.ended,
      pool: {
        waits: (pool) => {
          this.warnings.waits(pool);
        },
        served: (pool, waitedMs, ok) => {
          this.waits.series({ outcome: outcomeOf(ok) }).record(waitedMs, ok);
          this.warnings.served(pool);
        },
      },
    });
  }

  onApplicationBootstrap(): void {
    if (this.settings.MONITORING === 'off') return;
    this.timer = setInterval(() => void this.ping(), PING_INTERVAL_MS).unref();
    void this.ping();
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  /** Never rejects: a ping that is not answered is counted as failed. */
  async ping(): Promise<void> {
    const begun = performance.now();
    let ok = true;
    try {
      await this.database.ping(PING_TIMEOUT_MS);
    } catch {
      ok = false;
    }
    const series = this.pings.series({ outcome: outcomeOf(ok) }, (fresh) => {
      this.monitor.add(PING_OPERATION, fresh);
    });
    series.record(performance.now() - begun, ok);
  }

  private readonly ended: CommandEndListener = (event, durationMs, ok) => {
    const { commandName: command } = event;
    const series = (ok ? this.succeeded : this.failed).get(command) ?? this.admit(command, ok);
    series.record(durationMs, ok);
    if (durationMs <= this.settings.SLOW_QUERY_MS || command === 'explain') return;
    const slow = {
      name: command,
      databaseName: event.databaseName,
      command: event.command,
      durationMs,
      ok,
    };
    void this.slow.note(slow, currentContext());
  };

  private admit(command: string, ok: boolean): Durations {
    const series = this.commands.series({ command, outcome: outcomeOf(ok) }, (fresh) => {
      this.monitor.add(COMMAND_PREFIX + command, fresh);
      // What is asked about a slow command is not part of the load.
      if (command !== 'explain') this.traffic.commands.add(fresh);
    });
    (ok ? this.succeeded : this.failed).set(command, series);
    return series;
  }

  private histogram<Label extends string>(
    name: string,
    help: string,
    labelNames: Label[],
    buckets: number[] = COMMAND_BUCKETS,
  ): DurationMetric<Label> {
    return new DurationMetric(this.metrics, { name: PREFIX + name, help, labelNames, buckets });
  }

  private poolGauges(): void {
    const { database } = this;
    new Gauge({
      name: `${PREFIX}pool_connections`,
      help: 'Connections of the pool: open, in_use (of the open ones), max (how many there may be)',
      labelNames: ['state'],
      registers: [this.metrics.registry],
      collect() {
        const { open, inUse, maxSize } = database.stats().pool;
        this.set({ state: 'open' }, open);
        this.set({ state: 'in_use' }, inUse);
        this.set({ state: 'max' }, maxSize);
      },
    });
    new Gauge({
      name: `${PREFIX}pool_waiting`,
      help: 'Operations that wait for a connection of the pool',
      registers: [this.metrics.registry],
      collect() {
        this.set(database.stats().pool.waiting);
      },
    });
    new Gauge({
      name: `${PREFIX}up`,
      help: '1 while the database is connected',
      registers: [this.metrics.registry],
      collect() {
        this.set(Number(database.state === 'connected'));
      },
    });
  }
}

const outcomeOf = (ok: boolean): 'ok' | 'error' => (ok ? 'ok' : 'error');
