import { EventEmitter } from 'node:events';
import type { Redis } from 'ioredis';
import type { KeyvStoreAdapter, StoredData } from 'keyv';
import type { RedisKeys, RedisService } from '../redis/index.js';
import { decodeValue, encodeValue } from './entry.js';
import type { Scope } from './generations.js';
import {
  abandonLoad,
  beginLoad,
  deleteEntry,
  finishLoad,
  readEntry,
  renewGeneration,
} from './shared-scripts.js';

/** What Redis holds of a key. */
export interface SharedEntry {
  /** Undefined: it is remembered that there is none. */
  readonly value: unknown;
  /** Under which it was stored, and those that its tenant and tags have now; empty where Redis has none. */
  readonly generations: string;
  readonly current: readonly string[];
  readonly staleMs: number;
  readonly localTtlMs: number;
  /** When it was stored, by the clock of Redis, ms. */
  readonly storedAt: number;
  /** Until Redis forgets it, ms. */
  readonly leftMs: number;
}

/** What a finished load puts into Redis. */
export interface SharedWrite {
  readonly value: unknown;
  readonly generations: string;
  readonly staleMs: number;
  readonly localTtlMs: number;
  /** Of the load; it is stored only while the load was not cancelled. */
  readonly token: string;
}

export type Beginning = { outcome: 'hit' } | { outcome: 'load' | 'wait'; generations: string[] };

/** Generations outlive every entry; one that is lost all the same only makes its entries void. */
const GENERATION_TTL_MS = 24 * 3_600_000;

const listOf = (reply: unknown): unknown[] => (Array.isArray(reply) ? reply : []);

const text = (reply: unknown): string => (reply instanceof Buffer ? reply.toString('utf8') : String(reply));

const broken = Symbol('broken');

function decodedOrBroken(value: unknown): unknown {
  if (!(value instanceof Buffer) || value.length === 0) return undefined;
  try {
    return decodeValue(value);
  } catch {
    return broken;
  }
}

/** Keyv's store for Redis, with what several processes need to agree: locks of loads, and generations. */
export class SharedStore extends EventEmitter implements KeyvStoreAdapter {
  readonly opts = {};

  constructor(
    private readonly redis: RedisService,
    private readonly keys: RedisKeys,
    private readonly lockMs: number,
  ) {
    super();
  }

  async get<Value>(key: string): Promise<StoredData<Value> | undefined> {
    const { entry, generations } = this.placesOf(key);
    const reply = await this.redis.call((client) => readEntry.run(client, [entry, ...generations], []));
    const [leftMs, found, value, staleMs, localTtlMs, storedAt, ...current] = listOf(reply);
    const decoded = decodedOrBroken(value);
    if (decoded === broken) {
      // Else it would be found, and not understood, until its time to live ends.
      await this.redis.call((client) => client.unlink(entry));
      return undefined;
    }
    const present: SharedEntry = {
      value: decoded,
      generations: text(found),
      current: current.map(text),
      staleMs: Number(text(staleMs)),
      localTtlMs: Number(text(localTtlMs)),
      storedAt: Number(text(storedAt)),
      leftMs: Number(leftMs),
    };
    return present.generations === '' || present.leftMs <= 0 ? undefined : { value: present as Value };
  }

  /** True when it was stored; false when the load was cancelled or something was invalidated meanwhile. */
  async set(key: string, { value: write }: { value: SharedWrite }, ttlMs: number): Promise<boolean> {
    const { value, generations, staleMs, localTtlMs, token } = write;
    const args = [token, generations, Math.ceil(ttlMs), staleMs, localTtlMs];
    const encoded = value === undefined ? [] : [encodeValue(value)];
    const stored = await this.redis.call((client) =>
      finishLoad.run(client, this.allKeys(key), [...args, ...encoded]),
    );
    return stored === 1;
  }

  async delete(key: string): Promise<boolean> {
    await this.redis.call((client) => this.deleteOn(client, key, ''));
    return true;
  }

  /** Entries are never walked over: a tenant's are made void by its generation, the rest by their time to live. */
  clear(): Promise<void> {
    return Promise.reject(
      new Error('the shared tier is not cleared as a whole; invalidate a tenant or a tag'),
    );
  }

  /** Asks to load a key; see `beginLoad`. Entries stored before `distrustBefore` (ms, clock of Redis) do not count. */
  async begin(key: string, token: string, { steal = false, distrustBefore = 0 } = {}): Promise<Beginning> {
    const args = [token, this.lockMs, GENERATION_TTL_MS, distrustBefore, steal ? 'steal' : 'ask'];
    const reply = await this.redis.call((client) => beginLoad.run(client, this.allKeys(key), args));
    const [outcome, ...generations] = listOf(reply).map(text);
    if (outcome === 'hit') return { outcome };
    if (outcome !== 'load' && outcome !== 'wait') throw new Error('Redis answered a script with nonsense');
    return { outcome, generations };
  }

  async abandon(key: string, token: string): Promise<void> {
    await this.redis.call((client) => abandonLoad.run(client, [this.placesOf(key).lock], [token]));
  }

  /** Deletes an entry and tells `message` to all processes. On a given connection, since a replay runs before calls may pass. */
  async deleteOn(client: Redis, key: string, message: string): Promise<void> {
    const { entry, lock } = this.placesOf(key);
    await deleteEntry.run(client, [entry, lock], [this.keys.channel, message]);
  }

  /**
   * Makes all entries of a scope void; answers its new generation, above `floor`. All processes are told `before`, the generation and
   * `after` as one text.
   */
  async renewOn(
    client: Redis,
    scope: Scope,
    floor: number,
    [before, after]: readonly [string, string],
  ): Promise<string> {
    const args = [floor, GENERATION_TTL_MS, this.keys.channel, before, after];
    return text(await renewGeneration.run(client, [this.generationKey(scope)], args));
  }

  publish(message: string): Promise<number> {
    return this.redis.call((client) => client.publish(this.keys.channel, message));
  }

  private allKeys(key: string): string[] {
    const { entry, lock, generations } = this.placesOf(key);
    return [entry, lock, ...generations];
  }

  private generationKey({ tenantId, tag }: Scope): string {
    return this.keys.of(tenantId, 'generation', ...(tag === undefined ? [] : [tag]));
  }

  /** Where Redis keeps what belongs to the text of a `CacheKey`. */
  private placesOf(key: string): { entry: string; lock: string; generations: string[] } {
    const [tenantId = '', family = '', id = '', ...tags] = key.split('\0');
    return {
      entry: this.keys.of(tenantId, 'entry', family, id),
      lock: this.keys.of(tenantId, 'lock', family, id),
      generations: [undefined, ...tags].map((tag) => this.generationKey({ tenantId, tag })),
    };
  }
}
