import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { type Cache, createCache } from 'cache-manager';
import { Keyv, type KeyvStoreAdapter } from 'keyv';
import { deepFreeze } from '../common/index.js';
import { CACHE_SETTINGS, type CacheSettings } from '../config/index.js';
import { TransactionRunner } from '../database/index.js';
import { LOGGER, type Logger } from '../logging/index.js';
import { RedisService } from '../redis/index.js';
import type { CacheKey, Lifetime } from './cache-key.js';
import { type CacheStats, FamilyCounter, tierStats } from './cache-stats.js';
import { type Entry, estimatedBytes, type Found } from './entry.js';
import { type Flight, Flights, type Outcome } from './flights.js';
import { Generations } from './generations.js';
import { LocalStore } from './local-store.js';
import { SharedStore, type SharedTierPolicy } from './shared-store.js';

type Load<Value> = () => Promise<Value | undefined>;

/** Maximum share of the time to live that is subtracted at random. */
const JITTER = 0.1;

const MIN_TENANTS = 1000;

const jittered = (ttlMs: number): number => Math.round(ttlMs * (1 - JITTER * Math.random()));

/** Passes values to the store unserialized, and treats an error of the store as a miss. */
function keyvOf(store: KeyvStoreAdapter): Keyv {
  const keyv = new Keyv({ store, useKeyPrefix: false, emitErrors: false });
  keyv.serialize = undefined;
  keyv.deserialize = undefined;
  return keyv;
}

/**
 * A cache with two levels: the memory of this process (L1) and, if configured, Redis (L2). Each key is loaded
 * only once at a time, in this process and, with Redis, across all processes. An invalidated value is not
 * returned again: immediately in this process, and in others when they are notified, or after
 * CACHE_LOCAL_TTL_MS at the latest. Values are shared between callers and frozen. Types that BSON supports
 * are preserved.
 *
 * Inside a transaction of `TransactionRunner` the cache is bypassed: reads see the transaction's own writes
 * and are not cached, and invalidations are executed after the commit, or not at all after an abort.
 */
@Injectable()
export class CacheService implements OnApplicationShutdown {
  private readonly generations: Generations;
  private readonly local: LocalStore;
  private readonly shared: SharedStore;
  private readonly tiers: Cache;
  private readonly flights = new Flights();
  private readonly counters = new Map<string, FamilyCounter>();
  private readonly l1Counts = { hits: 0, misses: 0 };
  private invalidations = 0;

  constructor(
    @Inject(CACHE_SETTINGS) private readonly settings: CacheSettings,
    private readonly redis: RedisService,
    private readonly transactions: TransactionRunner,
    @Inject(LOGGER) logger: Logger,
  ) {
    const { MAX_CACHE_SIZE, CACHE_MAX_BYTES } = settings;
    this.generations = new Generations(Math.max(MIN_TENANTS, MAX_CACHE_SIZE));
    this.local = new LocalStore(MAX_CACHE_SIZE, CACHE_MAX_BYTES, this.generations);
    this.shared = new SharedStore(redis, this.generations, settings, logger);
    const stores = redis.enabled ? [this.local, this.shared] : [this.local];
    this.tiers = createCache({ stores: stores.map(keyvOf) });
    this.shared.listen(
      (key) => {
        this.flights.cancel(key);
        void this.local.delete(key);
      },
      () => {
        this.flights.cancelAll();
        void this.local.clear();
      },
    );
  }

  async onApplicationShutdown(): Promise<void> {
    await this.tiers.disconnect();
  }

  /**
   * Sets the policy that decides which tenants share entries through Redis. It is not called for families
   * with `isLocal`.
   */
  useSharedTierFor(policy: SharedTierPolicy): void {
    this.shared.useFor(policy);
  }

  /**
   * Returns the cached value, or the result of `load`, which is called once for all concurrent callers.
   * `undefined` means that there is no value; neither that nor an error is cached, and all waiting callers
   * receive it. A value in the memory of this process is returned synchronously, not as a promise.
   */
  wrap<Value>(
    key: CacheKey<Value>,
    lifetime: Lifetime | number,
    load: Load<Value>,
  ): Value | undefined | Promise<Value | undefined> {
    if (this.transactions.active) return load();
    // Reads the first store directly: this runs for every request, and a lookup through cache-manager creates
    // several promises.
    const local = this.local.find(key.text);
    if (!local) return this.findElsewhere(key, lifetime, load);
    this.countLocalHit(key);
    return local.value as Value;
  }

  /** Returns the value in the memory of this process, if there is one. */
  peek<Value>(key: CacheKey<Value>): Value | undefined {
    const entry = this.transactions.active ? undefined : this.local.find(key.text);
    if (!entry) return undefined;
    this.countLocalHit(key);
    return entry.value as Value;
  }

  /** Invalidates an entry in all processes. */
  del(key: CacheKey<unknown>): Promise<void> {
    return this.transactions.afterCommit(async () => {
      this.invalidations++;
      this.flights.cancel(key.text);
      await this.tiers.del(key.text);
    });
  }

  /** Invalidates all entries of the tenant in all processes, at the same cost regardless of their number. */
  invalidateTenant(tenantId: string): Promise<void> {
    return this.transactions.afterCommit(async () => {
      this.invalidations++;
      this.generations.renew(tenantId);
      await this.shared.invalidateTenant(tenantId);
    });
  }

  stats(): CacheStats {
    const { size: entries, max: maxEntries, bytes, maxBytes, evictions } = this.local;
    const { counts, pendingInvalidations } = this.shared;
    const { skipped, loadWaitTimeouts } = counts;
    return {
      l1: { ...tierStats(this.l1Counts), entries, maxEntries, bytes, maxBytes, evictions },
      l2: { ...tierStats(counts), ...this.redis.stats(), pendingInvalidations, skipped },
      invalidations: this.invalidations,
      loadWaitTimeouts,
      families: Object.fromEntries([...this.counters].map(([name, counter]) => [name, counter.stats()])),
    };
  }

  private async findElsewhere<Value>(
    key: CacheKey<Value>,
    lifetime: Lifetime | number,
    load: Load<Value>,
  ): Promise<Value | undefined> {
    this.l1Counts.misses++;
    const { ttlMs, localTtlMs }: Lifetime = typeof lifetime === 'number' ? { ttlMs: lifetime } : lifetime;
    const maxLocalMs = Math.min(localTtlMs ?? Infinity, this.settings.CACHE_LOCAL_TTL_MS);
    const outcome = await (this.flights.join(key.text, () => this.generations.of(key.tenantId)) ??
      this.flights.begin(
        key.text,
        async (flight) =>
          (await this.findShared(flight, key, maxLocalMs)) ??
          (await this.load(flight, key, ttlMs, maxLocalMs, load)),
      ));
    this.counterOf(key)[outcome.from === 'load' ? 'misses' : 'hits']++;
    return outcome.value as Value | undefined;
  }

  private async findShared(
    flight: Flight,
    key: CacheKey<unknown>,
    maxLocalMs: number,
  ): Promise<Outcome | undefined> {
    if (!(await this.shared.isUsable(key))) return undefined;
    let found = await this.tiers.get<Found>(key.text);
    if (!found && (await this.shared.awaitTurn(key.text, flight)))
      found = await this.tiers.get<Found>(key.text);
    if (!found) return undefined;
    this.local.put(key.text, entryOf(key, found, flight, maxLocalMs));
    return { value: found.value, from: 'shared' };
  }

  private async load(
    flight: Flight,
    key: CacheKey<unknown>,
    ttlMs: number,
    maxLocalMs: number,
    load: Load<unknown>,
  ): Promise<Outcome> {
    const generation = (flight.generation ??= this.generations.of(key.tenantId));
    const began = Date.now();
    let value: unknown;
    try {
      value = await this.counterOf(key).timed(load);
    } finally {
      if (value === undefined || flight.cancelled) await this.shared.abandon(key.text, flight);
    }
    if (value === undefined || flight.cancelled) return { value, from: 'load' };
    // The time to live starts when the load started to read.
    const expiresAt = began + Math.max(1, jittered(ttlMs));
    const entry = entryOf(key, { value: deepFreeze(value), generation, expiresAt }, flight, maxLocalMs);
    await this.tiers.set(key.text, entry, Math.max(1, expiresAt - Date.now()));
    return { value, from: 'load' };
  }

  private countLocalHit(key: CacheKey<unknown>): void {
    this.l1Counts.hits++;
    this.counterOf(key).hits++;
  }

  private counterOf({ family }: CacheKey<unknown>): FamilyCounter {
    const present = this.counters.get(family.name);
    if (present) return present;
    const fresh = new FamilyCounter();
    this.counters.set(family.name, fresh);
    return fresh;
  }
}

function entryOf(
  { tenantId, text }: CacheKey<unknown>,
  found: Found,
  flight: Flight,
  maxLocalMs: number,
): Entry {
  const { value, generation, expiresAt } = found;
  const localUntil = Math.min(expiresAt, Date.now() + maxLocalMs);
  return { value, generation, expiresAt, tenantId, localUntil, bytes: estimatedBytes(text, value), flight };
}
