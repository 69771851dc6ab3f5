import { Injectable } from '@nestjs/common';
import { Histogram } from 'prom-client';
import { CacheService } from '../../cache/index.js';
import { DatabaseService, GroupCommit, type GroupCommitStats } from '../../database/index.js';
import { METRIC_PREFIX, Metrics } from './metrics.js';

const CACHE = `${METRIC_PREFIX}cache_`;
const DATABASE = `${METRIC_PREFIX}database_`;
const GROUP_COMMIT = `${DATABASE}group_commit_`;

/** Buckets of durations, seconds. */
const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
const REDIS = `${METRIC_PREFIX}redis_`;

/** Metrics of the lower modules, which do not know Prometheus: cache, Redis, transactions, the pool. */
@Injectable()
export class BaseMetrics {
  constructor(
    private readonly metrics: Metrics,
    private readonly cache: CacheService,
    private readonly database: DatabaseService,
    private readonly commits: GroupCommit,
  ) {
    this.ofCache();
    this.ofRedis();
    this.ofDatabase();
    this.ofGroupCommit();
  }

  private ofCache(): void {
    const { metrics, cache } = this;
    metrics.readCounter({
      name: `${CACHE}lookups_total`,
      help: 'Entries asked for, by tier (l1: this process, l2: Redis) and result',
      labelNames: ['tier', 'result'],
      read: (tell) => {
        const { l1, l2 } = cache.stats();
        for (const [tier, { hits, misses }] of Object.entries({ l1, l2 })) {
          tell(hits, { tier, result: 'hit' });
          tell(misses, { tier, result: 'miss' });
        }
      },
    });
    metrics.readCounter({
      name: `${CACHE}loads_total`,
      help: 'Entries that were loaded from where they come from, by family of keys',
      labelNames: ['family', 'outcome'],
      read: (tell) => {
        for (const [family, { loads, loadErrors }] of Object.entries(cache.stats().families)) {
          tell(loads - loadErrors, { family, outcome: 'ok' });
          tell(loadErrors, { family, outcome: 'error' });
        }
      },
    });
    metrics.readCounter({
      name: `${CACHE}evictions_total`,
      help: 'Entries that made room for others in the memory of this process',
      read: (tell) => {
        tell(cache.stats().l1.evictions);
      },
    });
    metrics.readCounter({
      name: `${CACHE}invalidations_total`,
      help: 'Invalidations that began in this process',
      read: (tell) => {
        tell(cache.stats().invalidations);
      },
    });
    metrics.readGauge({
      name: `${CACHE}entries`,
      help: 'Entries in the memory of this process',
      read: (tell) => {
        tell(cache.stats().l1.entries);
      },
    });
    metrics.readGauge({
      name: `${CACHE}memory_bytes`,
      help: 'Estimated memory of these entries',
      read: (tell) => {
        tell(cache.stats().l1.bytes);
      },
    });
  }

  private ofRedis(): void {
    const { metrics, cache } = this;
    metrics.readGauge({
      name: `${REDIS}up`,
      help: '1 while Redis is used, 0 while it counts as down; absent when it is not configured',
      read: (tell) => {
        const { state } = cache.stats().l2;
        if (state !== 'off') tell(Number(state === 'closed'));
      },
    });
    metrics.readCounter({
      name: `${REDIS}calls_total`,
      help: 'Calls by outcome: ok, error, refused (at once, since Redis counts as down)',
      labelNames: ['outcome'],
      read: (tell) => {
        const { calls, errors, refused } = cache.stats().l2;
        tell(Math.max(0, calls - errors), { outcome: 'ok' });
        tell(errors, { outcome: 'error' });
        tell(refused, { outcome: 'refused' });
      },
    });
  }

  private ofGroupCommit(): void {
    const { metrics, database, commits } = this;
    const histogram = (name: string, help: string, buckets: number[]): Histogram =>
      new Histogram({ name: `${GROUP_COMMIT}${name}`, help, buckets, registers: [metrics.registry] });
    const units = histogram('units', 'Units of work in one transaction', [1, 2, 4, 8, 16, 32, 64, 128, 256]);
    const wait = histogram(
      'wait_seconds',
      'How long the oldest unit of a transaction waited for it to begin',
      seconds,
    );
    const duration = histogram('duration_seconds', 'From the begin of a transaction to its commit', seconds);
    commits.onFlight((flight) => {
      units.observe(flight.units);
      wait.observe(flight.waitMs / 1000);
      duration.observe(flight.commitMs / 1000);
    });
    const counters: [name: string, help: string, read: (stats: GroupCommitStats) => number][] = [
      ['refused_total', 'Units that were refused with an error of their own', ({ refused }) => refused],
      [
        'rejected_total',
        'Units that were not written since the database was too slow',
        ({ rejected }) => rejected,
      ],
      [
        'conflicts_total',
        'Transactions that were written again after a conflict',
        ({ conflicts }) => conflicts,
      ],
      [
        'commit_retries_total',
        'Commits that were repeated, their outcome unknown',
        ({ commitRetries }) => commitRetries,
      ],
    ];
    for (const [name, help, read] of counters)
      metrics.readCounter({
        name: `${GROUP_COMMIT}${name}`,
        help,
        read: (set) => {
          set(read(database.stats().groupCommit));
        },
      });
    metrics.readGauge({
      name: `${GROUP_COMMIT}waiting`,
      help: 'Units that wait for a transaction',
      read: (set) => {
        set(database.stats().groupCommit.waiting);
      },
    });
  }

  private ofDatabase(): void {
    const { metrics, database } = this;
    metrics.readCounter({
      name: `${DATABASE}transactions_total`,
      help: 'Tries of transactions by outcome',
      labelNames: ['outcome'],
      read: (tell) => {
        const { committed, aborted } = database.stats().transactions;
        tell(committed, { outcome: 'committed' });
        tell(aborted, { outcome: 'aborted' });
      },
    });
    metrics.readCounter({
      name: `${DATABASE}transaction_retries_total`,
      help: 'What was tried again after a transient error: a whole transaction, or its commit alone',
      labelNames: ['part'],
      read: (tell) => {
        const { retries, commitRetries } = database.stats().transactions;
        tell(retries, { part: 'transaction' });
        tell(commitRetries, { part: 'commit' });
      },
    });
    metrics.readCounter({
      name: `${DATABASE}pool_failures_total`,
      help: 'Operations that got no connection of the pool',
      read: (tell) => {
        tell(database.stats().pool.checkoutFailures);
      },
    });
    metrics.readCounter({
      name: `${DATABASE}disconnects_total`,
      help: 'Times that the database was lost',
      read: (tell) => {
        tell(database.stats().disconnects);
      },
    });
  }
}
