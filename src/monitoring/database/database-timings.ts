import {
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { Gauge, Histogram } from 'prom-client';
import { currentContext, LOGGER, type Logger, runInContext } from '../../common/index.js';
import { MONITORING_SETTINGS, type MonitoringSettings } from '../../config/index.js';
import { type CommandEndListener, type CommandListener, DatabaseService } from '../../database/index.js';
import { METRIC_PREFIX, Metrics } from '../metrics/metrics.js';
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
  private readonly commands: Histogram<'command' | 'outcome'>;
  private readonly waits: Histogram<'outcome'>;
  private readonly pings: Histogram<'outcome'>;
  private readonly names = new Map<string, string>();
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
      onStart: countRoundTrip,
      onEnd: this.ended,
      pool: {
        waits: (pool) => {
          this.warnings.waits(pool);
        },
        served: (pool, waitedMs, ok) => {
          this.waits.observe({ outcome: outcomeOf(ok) }, waitedMs / 1000);
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
      await runInContext({ requestId: 'ping' }, () => this.database.ping(PING_TIMEOUT_MS));
    } catch {
      ok = false;
    }
    const durationMs = performance.now() - begun;
    this.monitor.record(PING_OPERATION, durationMs, ok);
    this.pings.observe({ outcome: outcomeOf(ok) }, durationMs / 1000);
  }

  private readonly ended: CommandEndListener = (event, durationMs, ok) => {
    const { commandName: command } = event;
    this.monitor.record(this.nameOf(command), durationMs, ok);
    // What is asked about a slow command is none of the load.
    if (command !== 'explain') this.traffic.commands.record(durationMs, ok);
    this.commands.observe({ command, outcome: outcomeOf(ok) }, durationMs / 1000);
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

  private nameOf(command: string): string {
    const known = this.names.get(command);
    if (known !== undefined) return known;
    const name = COMMAND_PREFIX + command;
    this.names.set(command, name);
    return name;
  }

  private histogram<Label extends string>(
    name: string,
    help: string,
    labelNames: Label[],
    buckets: number[] = COMMAND_BUCKETS,
  ): Histogram<Label> {
    return new Histogram({
      name: PREFIX + name,
      help,
      labelNames,
      buckets,
      registers: [this.metrics.registry],
    });
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

const countRoundTrip: CommandListener = () => {
  const context = currentContext();
  if (context?.databaseRoundTrips !== undefined) context.databaseRoundTrips++;
};
