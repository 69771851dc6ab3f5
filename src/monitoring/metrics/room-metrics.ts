import { Injectable } from '@nestjs/common';
import { CacheService } from '../../cache/index.js';
import { DatabaseService } from '../../database/index.js';
import { METRIC_PREFIX, Metrics } from './metrics.js';

const CACHE = `${METRIC_PREFIX}cache_`;
const DATABASE = `${METRIC_PREFIX}database_`;
const REDIS = `${METRIC_PREFIX}redis_`;

/** Tells Prometheus of the rooms below, which know nothing of it: cache, Redis, transactions, the pool. */
@Injectable()
export class RoomMetrics {
  constructor(
    private readonly metrics: Metrics,
    private readonly cache: CacheService,
    private readonly database: DatabaseService,
  ) {
    this.ofCache();
    this.ofRedis();
    this.ofDatabase();
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
