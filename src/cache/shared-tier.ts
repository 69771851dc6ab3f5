import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { Keyv } from 'keyv';
import { backoffDelay } from '../common/index.js';
import type { CacheSettings } from '../config/index.js';
import type { Logger } from '../logging/index.js';
import type { RedisService } from '../redis/index.js';
import { busMessageOf, type BusMessage } from './bus-message.js';
import type { CacheKey } from './cache-key.js';
import { type Generations, joined, type Scope, scopesOf } from './generations.js';
import { type PendingKey, type PendingScope, PendingInvalidations } from './pending-invalidations.js';
import { type SharedEntry, SharedStore, type SharedWrite } from './shared-store.js';

/** Says whether a tenant's entries may be shared through Redis. */
export type SharedTierPolicy = (tenantId: string) => boolean | Promise<boolean>;

/** What other processes said: a new generation of a scope, or that an entry was deleted or replaced. */
export interface BusHandlers {
  onGeneration: (scope: Scope, generation: string) => void;
  onKey: (key: string) => void;
  /** Messages may have been lost. */
  onGap: () => void;
}

/** Whose turn it is to load: this caller's, with the generations that the value will be stored under. */
export type Turn = { outcome: 'hit' } | { outcome: 'load'; token?: string; generations: string };

const pollBackoff = { baseMs: 5, maxMs: 50, jitter: 0.5 };

const replayBackoff = { baseMs: 100, maxMs: 2000, jitter: 0.2 };

/**
 * The tier in Redis that all processes share. Every method but `usable`, `forget` and `renew` throws RedisUnavailableError when Redis
 * does not answer in time.
 */
export class SharedTier {
  readonly keyv: Keyv;
  private readonly store: SharedStore;
  private readonly pending = new PendingInvalidations();
  private readonly self = randomUUID();
  private readonly channel: string;
  private policy: SharedTierPolicy = () => true;
  private tokens = 0;
  private distrustBefore = 0;
  private wasTrusted = false;
  private stopped = false;
  private failures = 0;
  private replaying: NodeJS.Timeout | undefined;
  waitsInVain = 0;
  /** Times that Redis was not asked: it was away, an invalidation was on its way, or the tenant is kept out. */
  skipped = 0;

  constructor(
    private readonly redis: RedisService,
    private readonly generations: Generations,
    private readonly settings: CacheSettings,
    private readonly logger: Logger,
  ) {
    const keys = redis.keys('cache');
    this.channel = keys.channel;
    this.store = new SharedStore(redis, keys, settings.CACHE_LOAD_LOCK_MS);
    this.keyv = new Keyv({ store: this.store, useKeyPrefix: false, throwOnErrors: true, emitErrors: false });
    // Entries are encoded by the store itself, as BSON.
    this.keyv.serialize = undefined;
    this.keyv.deserialize = undefined;
  }

  get pendingCount(): number {
    return this.pending.size;
  }

  useFor(policy: SharedTierPolicy): void {
    this.policy = policy;
  }

  start({ onGeneration, onKey, onGap }: BusHandlers): void {
    if (!this.redis.enabled) return;
    this.redis.beforeTrust((client) => this.restoreTrust(client));
    this.redis.listen(
      this.channel,
      (text) => {
        const message = busMessageOf(text);
        if (!message || message.from === this.self) return;
        const { scope, generation, key } = message;
        // Not while an invalidation from here is on its way: it is later than what this message tells.
        if (scope && generation !== undefined && !this.pending.hasScope(scope))
          onGeneration(scope, generation);
        if (key !== undefined) onKey(key);
      },
      onGap,
    );
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.replaying);
  }

  /** Whether Redis is to be asked about this key now. */
  async usable(key: CacheKey<unknown>): Promise<boolean> {
    const isUsable =
      this.redis.available &&
      !this.pending.concerns(key.text, scopesOf(key)) &&
      (key.family.always || (await this.policy(key.tenantId)));
    if (!isUsable && this.redis.enabled) this.skipped++;
    return isUsable;
  }

  /** The entry if it still holds. */
  async read(key: CacheKey<unknown>): Promise<SharedEntry | undefined> {
    const scopes = scopesOf(key);
    const floors = this.floorsOf(scopes);
    const entry = await this.keyv.get<SharedEntry>(key.text);
    if (!entry || entry.current.includes('')) return undefined;
    if (!this.takeOver(scopes, entry.current, floors) || entry.storedAt < this.distrustBefore)
      return undefined;
    const current = joined(entry.current);
    return entry.generations === current && this.generations.of(scopes) === current ? entry : undefined;
  }

  /**
   * Waits until it is this process's turn to load, or until another has loaded. After CACHE_LOAD_WAIT_MS it is everyone's turn, without a
   * token; with `patient` false at once: undefined then.
   */
  async turn(key: CacheKey<unknown>, patient: boolean): Promise<Turn | undefined> {
    const scopes = scopesOf(key);
    const token = this.newToken();
    const deadline = Date.now() + this.settings.CACHE_LOAD_WAIT_MS;
    for (let attempt = 1; ; attempt++) {
      const floors = this.floorsOf(scopes);
      const begun = await this.store.begin(key.text, token, { distrustBefore: this.distrustBefore });
      if (begun.outcome === 'hit') return begun;
      this.takeOver(scopes, begun.generations, floors);
      const generations = joined(begun.generations);
      if (begun.outcome === 'load') return { outcome: 'load', token, generations };
      if (!patient) return undefined;
      if (Date.now() >= deadline) {
        this.waitsInVain++;
        return { outcome: 'load', generations };
      }
      await delay(backoffDelay(attempt, pollBackoff));
    }
  }

  /** Takes the turn from whoever loads: what that one loads is stored nowhere. */
  async seize(key: CacheKey<unknown>): Promise<{ token: string; generations: string }> {
    const scopes = scopesOf(key);
    const token = this.newToken();
    const floors = this.floorsOf(scopes);
    const begun = await this.store.begin(key.text, token, { steal: true });
    if (begun.outcome !== 'load') throw new Error('a lock that was taken by force was not given');
    this.takeOver(scopes, begun.generations, floors);
    return { token, generations: joined(begun.generations) };
  }

  /** Stores what was loaded; false when the load was cancelled or something was invalidated meanwhile. */
  finish(key: CacheKey<unknown>, write: SharedWrite, ttlMs: number): Promise<boolean> {
    return this.keyv.set(key.text, write, ttlMs);
  }

  abandon(key: CacheKey<unknown>, token: string): Promise<void> {
    return this.store.abandon(key.text, token);
  }

  /** Tells other processes to drop their copy of an entry that was replaced. */
  async announce(key: CacheKey<unknown>): Promise<void> {
    await this.store.publish(this.keyMessage(key.text));
  }

  /** Deletes an entry in Redis and everywhere else; what cannot reach Redis now is made up for before Redis is trusted again. */
  async forget(key: CacheKey<unknown>): Promise<void> {
    if (!this.redis.enabled) return;
    const pending = this.pending.addKey(key.tenantId, key.text);
    await this.attempt((client) => this.forgetOn(client, pending));
  }

  /** Makes a scope void in Redis and everywhere else; likewise. */
  async renew(scope: Scope): Promise<void> {
    if (!this.redis.enabled) return;
    const pending = this.pending.addScope(scope);
    await this.attempt((client) => this.renewOn(client, pending));
  }

  private async attempt(work: (client: Redis) => Promise<void>): Promise<void> {
    try {
      await this.redis.call(work);
      this.failures = 0;
    } catch (error) {
      this.failures++;
      if (this.failures === 1)
        this.logger.warn(
          { err: error },
          'an invalidation did not reach Redis; it is repeated before Redis is trusted',
        );
    }
    if (this.pending.size > 0) this.replayLater();
  }

  private async forgetOn(client: Redis, pending: PendingKey): Promise<void> {
    await this.store.deleteOn(client, pending.key, this.keyMessage(pending.key));
    this.pending.doneKey(pending);
  }

  private async renewOn(client: Redis, pending: PendingScope): Promise<void> {
    const { scope } = pending;
    const floor = this.generations.sharedFloor(scope);
    const head = JSON.stringify({ from: this.self, scope }).slice(0, -1);
    const generation = await this.store.renewOn(client, scope, floor, [`${head},"generation":"`, '"}']);
    this.generations.advance(scope, generation);
    this.pending.doneScope(pending);
  }

  private async replay(client: Redis): Promise<void> {
    const { scopes, keys } = this.pending.work();
    for (const scope of scopes) await this.renewOn(client, scope);
    for (const key of keys) await this.forgetOn(client, key);
  }

  /**
   * A call may fail while Redis counts as up, or be refused while Redis is being found back, after the replay has begun: then nothing
   * else brings the next replay about.
   */
  private replayLater(): void {
    if (this.stopped) return;
    this.replaying ??= setTimeout(
      () => {
        this.replaying = undefined;
        if (this.pending.size === 0) return;
        if (this.redis.available) void this.attempt((client) => this.replay(client));
        else this.replayLater();
      },
      backoffDelay(Math.max(1, this.failures), replayBackoff),
    );
    this.replaying.unref();
  }

  /**
   * Before Redis is believed again: this process's own invalidations are made up for, and what was stored before now is not believed at
   * all, since another process may still have invalidations to make up for.
   */
  private async restoreTrust(client: Redis): Promise<void> {
    await this.replay(client);
    if (this.wasTrusted) {
      const [seconds = 0, micros = 0] = await client.time();
      this.distrustBefore = Math.ceil(Number(seconds) * 1000 + Number(micros) / 1000);
    }
    this.wasTrusted = true;
  }

  /**
   * False when Redis is behind: an invalidation of this process is on its way, or Redis lost one that this process knows of, which is
   * repeated then.
   */
  private takeOver(
    scopes: readonly Scope[],
    generations: readonly string[],
    floors: readonly number[],
  ): boolean {
    let whole = true;
    scopes.forEach((scope, index) => {
      const isPending = this.pending.hasScope(scope);
      if (!isPending && this.generations.advance(scope, generations[index] ?? '0')) return;
      whole = false;
      // Only what was known before the question was asked has been lost; the rest overtook the answer.
      if (!isPending && Number(generations[index] ?? '0') < (floors[index] ?? 0)) void this.renew(scope);
    });
    return whole;
  }

  private floorsOf(scopes: readonly Scope[]): number[] {
    return scopes.map((scope) => this.generations.sharedFloor(scope));
  }

  private newToken(): string {
    return `${this.self}:${++this.tokens}`;
  }

  private keyMessage(key: string): string {
    return JSON.stringify({ from: this.self, key } satisfies BusMessage);
  }
}
