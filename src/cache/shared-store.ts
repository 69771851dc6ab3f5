import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { KeyvStoreAdapter, StoredData } from 'keyv';
import { backoffDelay } from '../common/index.js';
import type { CacheSettings } from '../config/index.js';
import type { Logger } from '../logging/index.js';
import {
  type Invalidation,
  InvalidationBus,
  type RedisService,
  RedisUnavailableError,
} from '../redis/index.js';
import { type BusMessage, busMessageOf } from './bus-message.js';
import type { CacheKey } from './cache-key.js';
import { decodeValue, encodeValue, type Entry, type Found } from './entry.js';
import type { Flight } from './flights.js';
import type { Generations } from './generations.js';
import {
  abandonLoad,
  beginLoad,
  deleteEntry,
  finishLoad,
  readEntry,
  renewGeneration,
} from './shared-scripts.js';

/** Returns whether a tenant's entries may be shared through Redis. */
export type SharedTierPolicy = (tenantId: string) => boolean | Promise<boolean>;

/** Longer than any entry lives. If a generation is lost anyway, its entries only become invalid. */
const GENERATION_TTL_MS = 24 * 3_600_000;

const pollBackoff = { baseMs: 5, maxMs: 50, jitter: 0.5 };

const listOf = (reply: unknown): unknown[] => (Array.isArray(reply) ? reply : []);

const text = (reply: unknown): string => (reply instanceof Buffer ? reply.toString('utf8') : String(reply));

/** The text of a cache key begins with its tenant. */
const tenantOf = (key: string): string => key.slice(0, key.indexOf('\0'));

/**
 * Keyv store in Redis, shared by all processes, with what they coordinate through it: generations, and which
 * process may load a value. Returns only valid entries. Without Redis, every lookup is a miss.
 */
export class SharedStore extends EventEmitter implements KeyvStoreAdapter {
  readonly opts = {};
  readonly counts = { hits: 0, misses: 0, skipped: 0, loadWaitTimeouts: 0 };
  private readonly bus: InvalidationBus<Invalidation>;
  private readonly processId = randomUUID();
  private policy: SharedTierPolicy = () => true;
  private tokens = 0;

  constructor(
    private readonly redis: RedisService,
    private readonly generations: Generations,
    private readonly settings: CacheSettings,
    private readonly logger: Logger,
  ) {
    super();
    this.bus = new InvalidationBus(redis, logger, {
      module: 'cache',
      apply: (client, { tenantId, id }) =>
        id === undefined ? this.renewOn(client, tenantId) : this.deleteOn(client, id),
      whole: (tenantId) => ({ tenantId }),
    });
  }

  get pendingInvalidations(): number {
    return this.bus.pendingCount;
  }

  useFor(policy: SharedTierPolicy): void {
    this.policy = policy;
  }

  /**
   * `onKey` is called when another process has deleted an entry, `onGap` when such messages may have been
   * lost.
   */
  listen(onKey: (key: string) => void, onGap: () => void): void {
    const adopt = (message: BusMessage): void => {
      if ('key' in message) onKey(message.key);
      // If an invalidation of this process has not reached Redis yet, it is later than the received one.
      else if (!this.bus.isPending(message.tenantId))
        this.generations.advance(message.tenantId, message.generation);
    };
    this.bus.listen({
      onMessage: (content) => {
        const message = busMessageOf(content);
        if (message) adopt(message);
      },
      onGap,
    });
  }

  disconnect(): Promise<void> {
    this.bus.stop();
    return Promise.resolve();
  }

  /** Whether this key may be looked up in Redis now. */
  async isUsable({ tenantId, text: id, family }: CacheKey<unknown>): Promise<boolean> {
    if (family.isLocal) return false;
    const isUsable =
      this.redis.available && !this.bus.isPending(tenantId, id) && (await this.policy(tenantId));
    if (!isUsable && this.redis.enabled) this.counts.skipped++;
    return isUsable;
  }

  async get<Value>(key: string): Promise<StoredData<Value> | undefined> {
    const found = await this.ifAvailable(() => this.read(key));
    this.counts[found ? 'hits' : 'misses']++;
    return found && ({ value: found } as StoredData<Value>);
  }

  /**
   * Waits until this process may load, which is recorded in `flight`, and returns false; or until another
   * process has loaded, and returns true. After CACHE_LOAD_WAIT_MS it returns false too, but what is then
   * loaded is not shared.
   */
  async awaitTurn(key: string, flight: Flight): Promise<boolean> {
    const isLoaded = await this.ifAvailable(async () => {
      const tenantId = tenantOf(key);
      const token = `${this.processId}:${++this.tokens}`;
      const args = [token, this.settings.CACHE_LOAD_LOCK_MS, GENERATION_TTL_MS, this.bus.trustedSince];
      const deadline = Date.now() + this.settings.CACHE_LOAD_WAIT_MS;
      for (let attempt = 1; ; attempt++) {
        const floor = this.generations.floor(tenantId);
        const reply = await this.redis.call((client) => beginLoad.run(client, this.allKeys(key), args));
        const [outcome, generation = ''] = listOf(reply).map(text);
        if (outcome === 'hit') return true;
        this.adopt(tenantId, generation, floor);
        const isLate = outcome === 'wait' && Date.now() >= deadline;
        if (isLate) this.counts.loadWaitTimeouts++;
        if (outcome === 'load' || isLate) {
          flight.generation = generation;
          flight.token = isLate ? undefined : token;
          return false;
        }
        await delay(backoffDelay(attempt, pollBackoff));
      }
    });
    return isLoaded ?? false;
  }

  /** Releases the right to load after a load whose result is not stored. */
  async abandon(key: string, { token }: Flight): Promise<void> {
    if (token === undefined) return;
    const { lock } = this.redisKeysOf(key);
    await this.ifAvailable(() => this.redis.call((client) => abandonLoad.run(client, [lock], [token])));
  }

  /** Stores the loaded value. Cancels its flight if the value was invalidated in the meantime. */
  async set(key: string, { value: entry }: { value: Entry }, ttlMs = 1): Promise<boolean> {
    const { value, flight, generation } = entry;
    const { token } = flight;
    if (token === undefined) return false;
    let encoded: Buffer;
    try {
      encoded = encodeValue(value);
    } catch (error) {
      this.logger.warn(
        { err: error, family: key.split('\0')[1] },
        'a cached value cannot be encoded as BSON; it is not shared with other processes',
      );
      await this.abandon(key, flight);
      return false;
    }
    const args = [token, generation, Math.ceil(ttlMs), encoded];
    const reply = await this.ifAvailable(() =>
      this.redis.call((client) => finishLoad.run(client, this.allKeys(key), args)),
    );
    if (reply === 0) flight.cancelled = true;
    return reply === 1;
  }

  /** Deletes an entry in Redis and in all processes; see `InvalidationBus.invalidate`. */
  delete(key: string): Promise<boolean> {
    return this.bus.invalidate({ tenantId: tenantOf(key), id: key });
  }

  /** Invalidates all entries of a tenant in Redis and in all processes. */
  async invalidateTenant(tenantId: string): Promise<void> {
    await this.bus.invalidate({ tenantId });
  }

  /**
   * Not supported, because it would have to scan all keys. The entries of a tenant are invalidated by its
   * generation.
   */
  clear(): Promise<void> {
    return Promise.reject(
      new Error('the shared cache cannot be cleared completely; invalidate a tenant instead'),
    );
  }

  private async read(key: string): Promise<Found | undefined> {
    const tenantId = tenantOf(key);
    const { entry, generation: generationKey } = this.redisKeysOf(key);
    const floor = this.generations.floor(tenantId);
    const reply = await this.redis.call((client) => readEntry.run(client, [entry, generationKey], []));
    const [left, ...rest] = listOf(reply);
    const [generation = '', , storedAt, current = ''] = rest.map(text);
    const leftMs = Number(left);
    if (leftMs <= 0 || generation === '' || !this.adopt(tenantId, current, floor)) return undefined;
    const isCurrent = generation === current && generation === this.generations.of(tenantId);
    if (!isCurrent || Number(storedAt) < this.bus.trustedSince) return undefined;
    try {
      return { value: decodeValue(rest[1] as Buffer), generation, expiresAt: Date.now() + leftMs };
    } catch {
      // Otherwise each lookup would find this entry and fail, until it expires.
      await this.redis.call((client) => client.unlink(entry));
      return undefined;
    }
  }

  /**
   * Adopts the generation from Redis. Returns false if Redis is behind: an invalidation of this process is
   * pending, or Redis has lost a generation that was known before the call (`floor`), whose invalidation is
   * then repeated.
   */
  private adopt(tenantId: string, generation: string, floor: number): boolean {
    if (generation === '' || this.bus.isPending(tenantId)) return false;
    if (this.generations.advance(tenantId, generation)) return true;
    if (Number(generation) < floor) void this.invalidateTenant(tenantId);
    return false;
  }

  private async deleteOn(client: Redis, key: string): Promise<void> {
    const { entry, lock } = this.redisKeysOf(key);
    await deleteEntry.run(client, [entry, lock], [this.bus.keys.channel, this.bus.message({ key })]);
  }

  private async renewOn(client: Redis, tenantId: string): Promise<void> {
    const head = this.bus.message({ tenantId }).slice(0, -1);
    const args = [this.generations.floor(tenantId), GENERATION_TTL_MS, this.bus.keys.channel];
    const message = [`${head},"generation":"`, '"}'];
    const reply = await renewGeneration.run(client, [this.generationKey(tenantId)], [...args, ...message]);
    this.generations.advance(tenantId, text(reply));
  }

  private allKeys(key: string): string[] {
    const { entry, lock, generation } = this.redisKeysOf(key);
    return [entry, lock, generation];
  }

  private generationKey(tenantId: string): string {
    return this.bus.keys.of(tenantId, 'generation');
  }

  private redisKeysOf(key: string): { entry: string; lock: string; generation: string } {
    const [tenantId = '', family = '', id = ''] = key.split('\0');
    return {
      entry: this.bus.keys.of(tenantId, 'entry', family, id),
      lock: this.bus.keys.of(tenantId, 'lock', family, id),
      generation: this.generationKey(tenantId),
    };
  }

  private async ifAvailable<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof RedisUnavailableError) return undefined;
      throw error;
    }
  }
}
