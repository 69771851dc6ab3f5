import { Inject, Injectable } from '@nestjs/common';
import { MONITORING_SETTINGS, type MonitoringSettings } from '../../config/index.js';
import {
  counter,
  type ExportedMetric,
  gauge,
  histogram,
  type MeasuredValue,
  Monitoring,
  operationFigures,
  type OperationFigures,
  trafficFigures,
  type TrafficFigures,
} from '../../monitoring/index.js';
import { DatabaseService, type DatabaseStats } from '../database.service.js';
import { GroupCommit } from '../group-commit.js';
import { CommandTimings } from './command-timings.js';
import { DatabaseHealth } from './database-health.js';

/** Seconds. */
const COMMIT_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
const UNIT_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/** Number of commands in a snapshot. */
const SHOWN_COMMANDS = 20;
/** With fewer commands than this in the last minute, the p95 is not compared with its limits. */
const MIN_COMMANDS = 20;

/** Figures of one command such as `find`, over the last five minutes. */
export interface CommandFigures extends OperationFigures {
  command: string;
}

/** The `database` section of the snapshot. */
export interface DatabaseSection {
  kind: 'embedded' | 'mongodb';
  connected: boolean;
  pool: { open: number; inUse: number; waiting: number; max: number };
  /** All commands combined. */
  total: TrafficFigures;
  /** The most frequent commands, at most 20. */
  commands: CommandFigures[];
  /** Median of recent pings, sent every 30 s; null before the first reply. */
  pingMs: number | null;
}

/** Metrics, health checks and snapshot section of the database, apart from `CommandTimings`. */
@Injectable()
export class DatabaseMonitoring {
  constructor(
    monitoring: Monitoring,
    private readonly database: DatabaseService,
    private readonly commits: GroupCommit,
    private readonly timings: CommandTimings,
    health: DatabaseHealth,
    @Inject(MONITORING_SETTINGS) private readonly settings: MonitoringSettings,
  ) {
    monitoring.contribute<DatabaseSection>({
      metrics: [...this.ofConnection(), ...this.ofTransactions(), ...this.ofGroupCommit()],
      health: health.checks(),
      snapshot: {
        name: 'database',
        read: () => this.section(),
        alerts: (section) => this.alerts(section),
      },
    });
  }

  private section(): DatabaseSection {
    const { kind, state, pool } = this.database.stats();
    return {
      kind,
      connected: state === 'connected',
      pool: { open: pool.open, inUse: pool.inUse, waiting: pool.waiting, max: pool.maxSize },
      total: trafficFigures(this.timings.total()),
      commands: this.timings
        .busiest(SHOWN_COMMANDS)
        .map((stats) => ({ command: stats.operation, ...operationFigures(stats) })),
      pingMs: this.timings.pingMs(),
    };
  }

  private alerts(section: DatabaseSection | null): MeasuredValue[] {
    const { ALERT_DATABASE_P95_MS, ALERT_POOL_WAITING } = this.settings;
    return [
      {
        name: 'database_p95',
        title: 'The p95 of database commands',
        unit: 'ms',
        levels: ALERT_DATABASE_P95_MS,
        value: section && section.total.count >= MIN_COMMANDS ? section.total.p95Ms : null,
      },
      {
        name: 'pool_waiting',
        title: 'The number of operations waiting for a connection from the database pool',
        unit: 'count',
        levels: ALERT_POOL_WAITING,
        value: section?.pool.waiting,
      },
    ];
  }

  private ofConnection(): ExportedMetric[] {
    const { database } = this;
    return [
      gauge({
        name: 'colloquy_database_up',
        help: '1 while the database is connected',
        read: (set) => {
          set(Number(database.state === 'connected'));
        },
      }),
      gauge({
        name: 'colloquy_database_pool_connections',
        help: 'Connections of the pool: open, in_use (of the open ones), max (the limit)',
        labelNames: ['state'],
        read: (set) => {
          const { open, inUse, maxSize } = database.stats().pool;
          set(open, { state: 'open' });
          set(inUse, { state: 'in_use' });
          set(maxSize, { state: 'max' });
        },
      }),
      gauge({
        name: 'colloquy_database_pool_waiting',
        help: 'Operations waiting for a connection from the pool',
        read: (set) => {
          set(database.stats().pool.waiting);
        },
      }),
      this.count(
        'colloquy_database_pool_failures_total',
        'Operations that got no connection from the pool',
        ({ pool }) => pool.checkoutFailures,
      ),
      this.count(
        'colloquy_database_disconnects_total',
        'How often the connection to the database was lost',
        ({ disconnects }) => disconnects,
      ),
    ];
  }

  private ofTransactions(): ExportedMetric[] {
    const { database } = this;
    return [
      counter({
        name: 'colloquy_database_transactions_total',
        help: 'Attempts of transactions by outcome',
        labelNames: ['outcome'],
        read: (set) => {
          const { committed, aborted } = database.stats().transactions;
          set(committed, { outcome: 'committed' });
          set(aborted, { outcome: 'aborted' });
        },
      }),
      counter({
        name: 'colloquy_database_transaction_retries_total',
        help: 'Retries after a transient error, by part: the whole transaction, or only its commit',
        labelNames: ['part'],
        read: (set) => {
          const { retries, commitRetries } = database.stats().transactions;
          set(retries, { part: 'transaction' });
          set(commitRetries, { part: 'commit' });
        },
      }),
    ];
  }

  private ofGroupCommit(): ExportedMetric[] {
    const units = histogram({
      name: 'colloquy_database_group_commit_units',
      help: 'Units of work in one transaction',
      buckets: UNIT_BUCKETS,
    });
    const wait = histogram({
      name: 'colloquy_database_group_commit_wait_seconds',
      help: 'How long the oldest unit of a transaction waited for the transaction to begin',
      buckets: COMMIT_BUCKETS,
    });
    const duration = histogram({
      name: 'colloquy_database_group_commit_duration_seconds',
      help: 'Duration of a group commit transaction from its beginning to its commit, including retries',
      buckets: COMMIT_BUCKETS,
    });
    this.commits.onFlight((flight) => {
      units.observe(flight.units);
      wait.observe(flight.waitMs / 1000);
      duration.observe(flight.commitMs / 1000);
    });
    return [
      units,
      wait,
      duration,
      gauge({
        name: 'colloquy_database_group_commit_waiting',
        help: 'Units waiting for a transaction',
        read: (set) => {
          set(this.database.stats().groupCommit.waiting);
        },
      }),
      this.count(
        'colloquy_database_group_commit_refused_total',
        'Units that were refused with a specific error: a conflict, a duplicate, a closed conversation',
        ({ groupCommit }) => groupCommit.refused,
      ),
      this.count(
        'colloquy_database_group_commit_rejected_total',
        'Units that were not written because the database was too slow; their clients got 503 database_busy',
        ({ groupCommit }) => groupCommit.rejected,
      ),
      this.count(
        'colloquy_database_group_commit_conflicts_total',
        'Group commit transactions that were retried after a conflict',
        ({ groupCommit }) => groupCommit.conflicts,
      ),
      this.count(
        'colloquy_database_group_commit_commit_retries_total',
        'Commits that were retried because their outcome was unknown',
        ({ groupCommit }) => groupCommit.commitRetries,
      ),
    ];
  }

  private count(name: string, help: string, read: (stats: DatabaseStats) => number): ExportedMetric {
    return counter({
      name,
      help,
      read: (set) => {
        set(read(this.database.stats()));
      },
    });
  }
}
