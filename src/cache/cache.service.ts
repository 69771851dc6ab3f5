import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { type Cache, createCache } from 'cache-manager';
import { Keyv } from 'keyv';
import { deepFreeze } from '../common/index.js';
import { CACHE_SETTINGS, type CacheSettings } from '../config/index.js';
import { LOGGER, type Logger } from '../logging/index.js';
import { RedisService, RedisUnavailableError } from '../redis/index.js';
import type { CacheKey, Lifetime } from './cache-key.js';
import { type CacheStats, FamilyCounter, tierStats } from './cache-stats.js';
import { type Entry, estimatedBytes } from './entry.js';
import { type Flight, Flights, type Outcome } from './flights.js';
import { Generations, type Scope } from './generations.js';
import { LocalStore } from './local-store.js';
import type { SharedEntry, SharedWrite } from './shared-store.js';
import { SharedTier, type SharedTierPolicy, type Turn } from './shared-tier.js';

type Load<Value> = () => Promise<Value | undefined>;

/** Scopes that are remembered for each entry that fits: its tenant and a few tags. */
const SCOPES_PER_ENTRY = 4;

/** Share of a time to live that is taken off at random at most. */
const JITTER = 0.1;

const lifetimeOf = (lifetime: Lifetime | number): Lifetime =>
  typeof lifetime === 'number' ? { ttlMs: lifetime } : lifetime;

const jittered = (ttlMs: number): number => Math.max(1, Math.round(ttlMs * (1 - JITTER * Math.random())));

/**
 * What is read often, in two tiers: the memory of this process (L1), and Redis (L2) where there is one. One load at a time for each key,
 * in this process and, with Redis, among all. A value that was invalidated is not answered again: in this process at once, in others
 * when they learn of it, at the latest after CACHE_LOCAL_TTL_MS. Values are shared and frozen; what BSON can hold keeps its type.
 */
@Injectable()
export class CacheService implements OnApplicationShutdown {
  private readonly local: LocalStore;
  private readonly tiers: Cache;
  private readonly generations: Generations;
  private readonly shared: SharedTier;
  private readonly flights = new Flights();
  private readonly counters = new Map<string, FamilyCounter>();
  private readonly l1Counts = { hits: 0, misses: 0 };
  private readonly l2Counts = { hits: 0, misses: 0 };
  private invalidations = 0;

  constructor(
    @Inject(CACHE_SETTINGS) private readonly settings: CacheSettings,
    private readonly redis: RedisService,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    const { MAX_CACHE_SIZE, CACHE_MAX_BYTES } = settings;
    this.local = new LocalStore(MAX_CACHE_SIZE, CACHE_MAX_BYTES);
    this.generations = new Generations(Math.max(1000, SCOPES_PER_ENTRY * MAX_CACHE_SIZE));
    this.shared = new SharedTier(redis, this.generations, settings, logger);
    const l1 = new Keyv<Entry>({ store: this.local, useKeyPrefix: false });
    // Values stay the objects that they are.
    l1.serialize = undefined;
    l1.deserialize = undefined;
    this.tiers = createCache({ stores: redis.enabled ? [l1, this.shared.keyv] : [l1] });
    this.listen();
  }

  async onApplicationShutdown(): Promise<void> {
    this.shared.stop();
    await this.tiers.disconnect();
  }

  /** Lets another module decide which tenants share entries through Redis; it is not asked about families that are shared `always`. */
  useSharedTierFor(policy: SharedTierPolicy): void {
    this.shared.useFor(policy);
  }

  async get<Value>(key: CacheKey<Value>): Promise<Value | undefined> {
    const entry = this.findLocal(key) ?? (await this.findShared(key));
    const counter = this.counterOf(key);
    if (entry) counter.hits++;
    else counter.misses++;
    return entry?.value as Value | undefined;
  }

  /** Prefer `wrap`: what is stored here may be older than an invalidation that came between its read and this call. */
  async set<Value>(key: CacheKey<Value>, value: Value, lifetime: Lifetime | number): Promise<void> {
    this.flights.cancel(key.text);
    await this.flights.guard(key.text, (flight) => this.store(flight, key, value, lifetimeOf(lifetime)));
  }

  /** After this no caller here is answered with what was there; others learn of it. */
  async del(key: CacheKey<unknown>): Promise<void> {
    this.invalidations++;
    this.flights.cancel(key.text);
    this.local.remove(key.text);
    await this.shared.forget(key);
  }

  /**
   * The cached value, else that of `load`, which is called once however many ask at the same time. Undefined from `load` means that there
   * is none. What `load` throws goes to all who wait, and is not remembered. A value in the memory of this process is returned at once,
   * without a promise.
   */
  wrap<Value>(
    key: CacheKey<Value>,
    lifetime: Lifetime | number,
    load: Load<Value>,
  ): Value | undefined | Promise<Value | undefined> {
    const local = this.findLocal(key);
    if (!local) return this.findElsewhere(key, lifetimeOf(lifetime), load);
    const counter = this.counterOf(key);
    counter.hits++;
    if (Date.now() >= local.freshUntil) {
      counter.staleServes++;
      this.refresh(key, lifetimeOf(lifetime), load);
    }
    return local.value as Value | undefined;
  }

  /** The value in the memory of this process, if it is fresh. */
  peek<Value>(key: CacheKey<Value>): Value | undefined {
    const entry = this.local.find(key.text);
    if (!entry || !this.holds(key, entry) || Date.now() >= entry.freshUntil) return undefined;
    this.l1Counts.hits++;
    this.counterOf(key).hits++;
    return entry.value as Value | undefined;
  }

  /** Makes every entry of the tenant void, in one step however many there are. */
  invalidateTenant(tenantId: string): Promise<void> {
    return this.invalidate({ tenantId });
  }

  /** Makes every entry of the tenant whose key bears the tag void, in one step. */
  invalidateTag(tenantId: string, tag: string): Promise<void> {
    return this.invalidate({ tenantId, tag });
  }

  stats(): CacheStats {
    const { size: entries, max: maxEntries, bytes, maxBytes, evictions } = this.local;
    return {
      l1: { ...tierStats(this.l1Counts), entries, maxEntries, bytes, maxBytes, evictions },
      l2: {
        ...tierStats(this.l2Counts),
        ...this.redis.stats(),
        pendingInvalidations: this.shared.pendingCount,
        skipped: this.shared.skipped,
      },
      invalidations: this.invalidations,
      waitsInVain: this.shared.waitsInVain,
      families: Object.fromEntries([...this.counters].map(([name, counter]) => [name, counter.stats()])),
    };
  }

  /** In the constructor: Redis is connected, and trusted for the first time, when modules are initialised. */
  private listen(): void {
    this.shared.start({
      onGeneration: (scope, generation) => {
        this.generations.advance(scope, generation);
      },
      onKey: (key) => {
        this.flights.cancel(key);
        this.local.remove(key);
      },
      onGap: () => {
        this.flights.cancelAll();
        void this.local.clear();
      },
    });
  }

  private async invalidate(scope: Scope): Promise<void> {
    this.invalidations++;
    this.generations.renew(scope);
    await this.shared.renew(scope);
  }

  private holds(key: CacheKey<unknown>, entry: Entry): boolean {
    return entry.generations === this.generations.ofKey(key);
  }

  private findLocal(key: CacheKey<unknown>): Entry | undefined {
    const entry = this.local.find(key.text);
    if (entry && this.holds(key, entry)) {
      this.l1Counts.hits++;
      return entry;
    }
    this.l1Counts.misses++;
    return undefined;
  }

  /** What another tier or the load has; waits for it. */
  private async findElsewhere<Value>(
    key: CacheKey<Value>,
    lifetime: Lifetime,
    load: Load<Value>,
  ): Promise<Value | undefined> {
    const outcome = await this.fly(key, lifetime, load);
    const counter = this.counterOf(key);
    if (outcome.from === 'load') counter.misses++;
    else counter.hits++;
    if (outcome.isStale) {
      counter.staleServes++;
      this.refresh(key, lifetime, load);
    }
    return outcome.value as Value | undefined;
  }

  private findShared(key: CacheKey<unknown>): Promise<Entry | undefined> {
    return this.flights.guard(key.text, (flight) =>
      this.tolerant(async () =>
        (await this.shared.usable(key)) ? await this.readShared(key, flight) : undefined,
      ),
    );
  }

  private async store(
    flight: Flight,
    key: CacheKey<unknown>,
    value: unknown,
    lifetime: Lifetime,
  ): Promise<void> {
    const ttlMs = jittered(lifetime.ttlMs);
    let generations = this.generations.ofKey(key);
    let stored: boolean | undefined;
    if (await this.shared.usable(key))
      stored = await this.tolerant(async () => {
        const turn = await this.shared.seize(key);
        ({ generations } = turn);
        const write = { ...this.written(value, lifetime), ...turn };
        const isStored = await this.share(key, write, this.totalMs(ttlMs, lifetime));
        if (isStored !== undefined) await this.shared.announce(key);
        return isStored;
      });
    if (stored === undefined) await this.shared.forget(key);
    const entry = this.entryOf(key, value, generations, ttlMs, lifetime);
    // False: it was deleted or replaced while it was on its way.
    if (stored !== false && !flight.cancelled) this.keep(key, entry);
  }

  /** Takes an entry of Redis into memory, for as long as it has left there. */
  private async readShared(key: CacheKey<unknown>, flight: Flight): Promise<Entry | undefined> {
    const found: SharedEntry | undefined = await this.shared.read(key);
    if (!found) {
      this.l2Counts.misses++;
      return undefined;
    }
    this.l2Counts.hits++;
    const { value, generations, leftMs, staleMs, localTtlMs } = found;
    const left = { ttlMs: leftMs - staleMs, staleMs, localTtlMs };
    const entry = this.entryOf(key, value, generations, left.ttlMs, left);
    if (!flight.cancelled) this.keep(key, entry);
    return entry;
  }

  private fly(key: CacheKey<unknown>, lifetime: Lifetime, load: Load<unknown>): Promise<Outcome> {
    return (
      this.flights.join(key.text, () => this.generations.ofKey(key)) ??
      this.flights.begin(key.text, (flight) => this.find(flight, key, lifetime, load))
    );
  }

  private async find(
    flight: Flight,
    key: CacheKey<unknown>,
    lifetime: Lifetime,
    load: Load<unknown>,
  ): Promise<Outcome> {
    let turn: Turn | undefined;
    try {
      if (await this.shared.usable(key)) {
        let entry = await this.readShared(key, flight);
        if (!entry) {
          turn = await this.shared.turn(key, true);
          if (turn?.outcome === 'hit') entry = await this.readShared(key, flight);
        }
        if (entry) return { value: entry.value, from: 'l2', isStale: Date.now() >= entry.freshUntil };
      }
    } catch (error) {
      if (!(error instanceof RedisUnavailableError)) throw error;
    }
    return this.load(flight, key, lifetime, load, turn);
  }

  /** Loads in the background what is due, unless it is being loaded here or elsewhere. */
  private refresh(key: CacheKey<unknown>, lifetime: Lifetime, load: Load<unknown>): void {
    if (this.flights.has(key.text)) return;
    const flight = this.flights.begin(key.text, async (self) => {
      let turn: Turn | undefined;
      try {
        if (await this.shared.usable(key)) {
          turn = await this.shared.turn(key, false);
          if (!turn) return await this.find(self, key, lifetime, load);
          const entry = turn.outcome === 'hit' ? await this.readShared(key, self) : undefined;
          if (entry) return { value: entry.value, from: 'l2' };
        }
      } catch (error) {
        if (!(error instanceof RedisUnavailableError)) throw error;
      }
      return this.load(self, key, lifetime, load, turn);
    });
    flight.catch((error: unknown) => {
      this.logger.warn({ err: error, family: key.family.name }, 'an entry of the cache was not refreshed');
    });
  }

  private async load(
    flight: Flight,
    key: CacheKey<unknown>,
    lifetime: Lifetime,
    load: Load<unknown>,
    turn: Turn | undefined,
  ): Promise<Outcome> {
    const mine = turn?.outcome === 'load' ? turn : undefined;
    const generations = mine?.generations ?? this.generations.ofKey(key);
    flight.generations = generations;
    const give = async (): Promise<void> => {
      if (mine?.token !== undefined) await this.tolerant(() => this.shared.abandon(key, mine.token ?? ''));
    };
    const begun = Date.now();
    let value: unknown;
    try {
      value = await this.counterOf(key).timed(load);
    } catch (error) {
      await give();
      throw error;
    }
    const ttl = value === undefined ? lifetime.missTtlMs : lifetime.ttlMs;
    if (ttl === undefined || flight.cancelled) {
      await give();
      return { value, from: 'load' };
    }
    deepFreeze(value);
    const kept = value === undefined ? { ttlMs: ttl } : lifetime;
    // Its age counts from when the load began to read.
    const ttlMs = Math.max(1, jittered(ttl) - (Date.now() - begun));
    const { token } = mine ?? {};
    const write = { ...this.written(value, kept), generations, token: token ?? '' };
    const stored = token === undefined || (await this.share(key, write, this.totalMs(ttlMs, kept))) !== false;
    const entry = this.entryOf(key, value, generations, ttlMs, kept);
    if (stored && !flight.cancelled && this.holds(key, entry)) this.keep(key, entry);
    return { value, from: 'load' };
  }

  /** False when something came between; undefined without Redis, and when the value cannot be shared: it stays in this process then. */
  private async share(
    key: CacheKey<unknown>,
    write: SharedWrite,
    ttlMs: number,
  ): Promise<boolean | undefined> {
    try {
      return await this.shared.finish(key, write, ttlMs);
    } catch (error) {
      if (error instanceof RedisUnavailableError) return undefined;
      this.logger.warn({ err: error, family: key.family.name }, 'a value of the cache cannot be shared');
      await this.tolerant(() => this.shared.abandon(key, write.token));
      return undefined;
    }
  }

  /** Without Redis the work is left undone. */
  private async tolerant<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof RedisUnavailableError) return undefined;
      throw error;
    }
  }

  private totalMs(ttlMs: number, { staleMs = 0 }: Lifetime): number {
    return ttlMs + staleMs;
  }

  private localTtlMs({ localTtlMs = Infinity }: Lifetime): number {
    return Math.min(localTtlMs, this.settings.CACHE_LOCAL_TTL_MS);
  }

  private written(
    value: unknown,
    lifetime: Lifetime,
  ): { value: unknown; staleMs: number; localTtlMs: number } {
    return { value, staleMs: lifetime.staleMs ?? 0, localTtlMs: this.localTtlMs(lifetime) };
  }

  private entryOf(
    key: CacheKey<unknown>,
    value: unknown,
    generations: string,
    ttlMs: number,
    lifetime: Lifetime,
  ): Entry {
    const now = Date.now();
    return {
      value: deepFreeze(value),
      generations,
      freshUntil: now + ttlMs,
      expiresAt: now + this.totalMs(ttlMs, lifetime),
      localTtlMs: this.localTtlMs(lifetime),
      bytes: estimatedBytes(key.text, value),
    };
  }

  private keep(key: CacheKey<unknown>, entry: Entry): void {
    const ttlMs = Math.min(entry.localTtlMs, entry.expiresAt - Date.now());
    if (ttlMs >= 1) this.local.put(key.text, entry, ttlMs);
  }

  private counterOf({ family }: CacheKey<unknown>): FamilyCounter {
    const present = this.counters.get(family.name);
    if (present) return present;
    const fresh = new FamilyCounter();
    this.counters.set(family.name, fresh);
    return fresh;
  }
}
