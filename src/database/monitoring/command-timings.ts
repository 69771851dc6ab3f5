import {
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { MONITORING_SETTINGS, type MonitoringSettings } from '../../config/index.js';
import { currentContext, LOGGER, type Logger } from '../../logging/index.js';
import {
  DurationMetric,
  type Durations,
  Monitoring,
  type OperationStats,
  PerformanceMonitor,
  SlowOperations,
  TrafficMeter,
} from '../../monitoring/index.js';
import type { CommandEndListener } from '../command-monitor.js';
import { DatabaseService } from '../database.service.js';
import { PoolWarnings } from './pool-warnings.js';
import { SlowCommands } from './slow-commands.js';

/** Seconds. */
const COMMAND_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const WAIT_BUCKETS = [0.0001, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export const PING_INTERVAL_MS = 30_000;
const PING_TIMEOUT_MS = 5000;
/** Prefix of command names in PerformanceMonitor. */
const COMMAND_PREFIX = 'db ';
/** Name of the operation for pings in PerformanceMonitor; not a command. */
const PING_OPERATION = 'database ping';

/** Times commands by name, the wait for a connection, and a periodic ping. */
@Injectable()
export class CommandTimings implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy {
  private readonly commands: DurationMetric<'command' | 'outcome'>;
  private readonly waits: DurationMetric<'outcome'>;
  private readonly pings: DurationMetric<'outcome'>;
  /** Series by command name, kept so that no labels are built for each command. */
  private readonly succeeded = new Map<string, Durations>();
  private readonly failed = new Map<string, Durations>();
  private readonly traffic = new TrafficMeter();
  private readonly slow: SlowCommands;
  private readonly warnings: PoolWarnings;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    monitoring: Monitoring,
    private readonly monitor: PerformanceMonitor,
    slowOperations: SlowOperations,
    private readonly database: DatabaseService,
    @Inject(MONITORING_SETTINGS) private readonly settings: MonitoringSettings,
    @Inject(LOGGER) logger: Logger,
  ) {
    this.slow = new SlowCommands({
      logger,
      onSlow: (run) => {
        slowOperations.note(run);
      },
      explain: (databaseName, command) => database.explain(databaseName, command),
    });
    this.warnings = new PoolWarnings(logger);
    this.commands = new DurationMetric({
      name: 'colloquy_database_command_duration_seconds',
      help: 'Commands by name, from sending to the reply',
      labelNames: ['command', 'outcome'],
      buckets: COMMAND_BUCKETS,
    });
    this.waits = new DurationMetric({
      name: 'colloquy_database_pool_wait_seconds',
      help: 'How long operations waited for a connection from the pool',
      labelNames: ['outcome'],
      buckets: WAIT_BUCKETS,
    });
    this.pings = new DurationMetric({
      name: 'colloquy_database_ping_duration_seconds',
      help: 'Pings, one every 30 s',
      labelNames: ['outcome'],
      buckets: COMMAND_BUCKETS,
    });
    monitoring.contribute({ metrics: [this.commands, this.waits, this.pings] });
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

  /** All commands of the last minute combined. */
  total(): ReturnType<TrafficMeter['read']> {
    return this.traffic.read();
  }

  /** The most frequent commands of the last five minutes. */
  busiest(limit: number): OperationStats[] {
    return this.monitor
      .getBusiest(new RegExp(`^${COMMAND_PREFIX}`), limit)
      .map((stats) => ({ ...stats, operation: stats.operation.slice(COMMAND_PREFIX.length) }));
  }

  /** Median of the last pings; null before the first reply. */
  pingMs(): number | null {
    return this.monitor.getStats(PING_OPERATION)?.p50Ms ?? null;
  }

  /** Never rejects: a ping without a reply counts as failed. */
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
      // An `explain` of a slow command is not part of the application's load.
      if (command !== 'explain') this.traffic.add(fresh);
    });
    (ok ? this.succeeded : this.failed).set(command, series);
    return series;
  }
}

const outcomeOf = (ok: boolean): 'ok' | 'error' => (ok ? 'ok' : 'error');
