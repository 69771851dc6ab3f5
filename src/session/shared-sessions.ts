import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { SESSION_SETTINGS, type SessionSettings } from '../config/index.js';
import { LOGGER, type Logger } from '../logging/index.js';
import { type RedisKeys, type RedisScript, RedisService, RedisUnavailableError } from '../redis/index.js';
import { isJsonObject, parseJson } from './json.js';
import { type PendingDeletion, PendingDeletions } from './pending-deletions.js';
import type { DeletedSession, StoredState } from './session.repository.js';
import { entryOf, stateOf } from './shared-session-entry.js';
import {
  clearScript,
  deleteScript,
  dropScript,
  PUT_OLDER,
  putScript,
  readScript,
  TOMBSTONE_VERSION,
} from './shared-session-scripts.js';
import { SHARED_SESSION_POLICY, type SharedSessionPolicy } from './shared-session.policy.js';

/** Another process stored `version` of session `id`, or deleted it (then `version` is above all versions). */
export interface SessionNews {
  readonly tenantId: string;
  readonly participantId: string;
  readonly id: string;
  readonly version: number;
}

export interface SharedSessionStats {
  /** `off`: Redis is not configured or switched off; else that of its circuit breaker. */
  state: ReturnType<RedisService['stats']>['state'];
  hits: number;
  misses: number;
  /** Hits by hits and misses, 0 to 1. */
  hitRate: number;
  /** Puts that were kept. */
  writes: number;
  /** Puts that were refused because something newer was there. */
  stale: number;
  /** Entries that a write found to be behind the database, and that were removed. */
  dropped: number;
  /** Calls that failed or took too long. */
  errors: number;
  /** Steps that were left out: Redis counted as down, the tenant may not use it, or a deletion is still to be made up for. */
  skipped: number;
  /** Deletions that Redis has not been notified of yet. */
  pendingDeletions: number;
}

/** How a put ended; `skipped` and errors look alike to callers, who go on without. */
export type PutOutcome = 'kept' | 'older' | 'unknown';

const HOUR_MS = 3_600_000;
const TOMBSTONE_MS = 5 * 60_000;
const MAX_PENDING = 10_000;
const REPLAY_BATCH = 100;
const REPLAY_INTERVAL_MS = 250;

/**
 * Sessions that all processes share in Redis, tier 2 of three. Never the record: an entry may be old or gone at any time, which costs
 * a read of the database or a conflict, never an update. No step fails or waits longer than Redis may take; without Redis all
 * are left out.
 */
@Injectable()
export class SharedSessions implements OnModuleInit, OnModuleDestroy {
  private readonly keys: RedisKeys;
  private readonly ttlMs: number;
  private readonly processId = randomUUID();
  private readonly pending = new PendingDeletions(MAX_PENDING, (deletion) => {
    this.logger.warn(
      { tenantId: deletion.tenantId, max: MAX_PENDING },
      'a deleted session is forgotten before Redis learned of it; its entry there ends by its time to live',
    );
  });
  private replayTimer: NodeJS.Timeout | undefined;
  private destroyed = false;
  private readonly counters = { hits: 0, misses: 0, writes: 0, stale: 0, dropped: 0, errors: 0, skipped: 0 };

  constructor(
    private readonly redis: RedisService,
    @Inject(SHARED_SESSION_POLICY) private readonly policy: SharedSessionPolicy,
    @Inject(SESSION_SETTINGS) settings: SessionSettings,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.keys = redis.keys('session');
    this.ttlMs = settings.SESSION_TTL_HOURS * HOUR_MS;
  }

  onModuleInit(): void {
    this.redis.beforeTrust(async (client) => {
      await this.replay((deletion) => deleteScript.run(client, ...this.deletionArguments(deletion)));
    });
  }

  onModuleDestroy(): void {
    this.destroyed = true;
    clearTimeout(this.replayTimer);
  }

  /** Hears of what other processes stored or deleted. News may be lost; `onGap` is called when some may have been. */
  listen(onNews: (news: SessionNews) => void, onGap: () => void): void {
    this.redis.listen(
      this.keys.channel,
      (message) => {
        const news = parseJson(message);
        if (isNews(news) && news.from !== this.processId) onNews(news);
      },
      onGap,
    );
  }

  /** Undefined: none is there, or Redis is not to be asked. Each read restarts SESSION_TTL_HOURS. */
  async read(tenantId: string, participantId: string): Promise<StoredState | undefined> {
    if (!(await this.mayUse(tenantId))) return undefined;
    if (this.pending.has(tenantId, participantId)) {
      this.counters.skipped++;
      return undefined;
    }
    const reply = await this.run(readScript, this.keys.of(tenantId, participantId), [Date.now(), this.ttlMs]);
    if (reply === undefined) return undefined;
    const state = stateOf(tenantId, participantId, reply);
    if (state) this.counters.hits++;
    else this.counters.misses++;
    // What cannot be understood would be a miss for ever.
    if (!state && reply !== null) await this.clear(tenantId, participantId);
    return state;
  }

  /** Keeps a committed state unless what is there is ahead of it; with `announce` other processes learn of it. */
  async put(state: StoredState, announce: boolean): Promise<PutOutcome> {
    const { tenantId, participantId, id, version, expiresAt } = state;
    if (!(await this.mayUse(tenantId))) {
      if (announce) await this.tell({ tenantId, participantId, id, version });
      return 'unknown';
    }
    const ttlMs = Math.min(this.ttlMs, expiresAt.getTime() - Date.now());
    if (ttlMs <= 0) return 'unknown';
    const message = announce ? this.messageOf({ tenantId, participantId, id, version }) : '';
    const channel = announce ? this.keys.channel : '';
    const key = this.keys.of(tenantId, participantId);
    const reply = await this.run(putScript, key, [...entryOf(state), ttlMs, channel, message]);
    if (reply === undefined) return 'unknown';
    if (reply === PUT_OLDER) {
      this.counters.stale++;
      return 'older';
    }
    this.counters.writes++;
    return 'kept';
  }

  /** Removes the entry when it is that of `state`, which the database does not have (any more). */
  async dropStale({ tenantId, participantId, id, version }: StoredState): Promise<void> {
    if (!this.isOn()) return;
    const dropped = await this.run(dropScript, this.keys.of(tenantId, participantId), [id, version]);
    if (dropped === 1) this.counters.dropped++;
  }

  /** Removes the entry of a participant who has no session in the database. */
  async clear(tenantId: string, participantId: string): Promise<void> {
    if (!this.isOn()) return;
    const dropped = await this.run(clearScript, this.keys.of(tenantId, participantId), []);
    if (dropped === 1) this.counters.dropped++;
  }

  /**
   * Removes a deleted session here and from the memory of other processes, and keeps late puts of it out for five minutes. When
   * Redis does not answer, that is made up for before this process reads the participant's entry again.
   */
  async delete(tenantId: string, participantId: string, deleted: DeletedSession): Promise<void> {
    if (!this.redis.enabled) return;
    const deletion: PendingDeletion = { tenantId, participantId, ...deleted };
    // Kept before the call: no read of this process may meet the entry while the call is under way.
    this.pending.add(deletion);
    const reply = this.isOn() ? await this.run(deleteScript, ...this.deletion(deletion)) : undefined;
    if (reply === undefined) this.replaySoon();
    else this.pending.done(deletion);
  }

  stats(): SharedSessionStats {
    const { hits, misses } = this.counters;
    return {
      state: this.redis.stats().state,
      ...this.counters,
      hitRate: hits === 0 ? 0 : hits / (hits + misses),
      pendingDeletions: this.pending.size,
    };
  }

  private isOn(): boolean {
    if (this.redis.available) return true;
    if (this.redis.enabled) this.counters.skipped++;
    return false;
  }

  private async mayUse(tenantId: string): Promise<boolean> {
    if (!this.isOn()) return false;
    try {
      if (await this.policy.allows(tenantId)) return true;
    } catch (error) {
      this.logger.warn(
        { err: error, tenantId },
        'could not find out whether a tenant may use Redis; it is left out',
      );
    }
    this.counters.skipped++;
    return false;
  }

  /** The reply; undefined when there is none. */
  private async run(
    script: RedisScript,
    key: string,
    args: readonly (string | number | Buffer)[],
  ): Promise<unknown> {
    try {
      return await this.redis.call((client) => script.run(client, [key], args));
    } catch (error) {
      if (!(error instanceof RedisUnavailableError)) throw error;
      this.counters.errors++;
      return undefined;
    }
  }

  /** Tells other processes of a state that is not kept in Redis: their copies are old all the same. */
  private async tell(news: SessionNews): Promise<void> {
    if (!this.redis.available) return;
    try {
      await this.redis.call((client) => client.publish(this.keys.channel, this.messageOf(news)));
    } catch (error) {
      if (!(error instanceof RedisUnavailableError)) throw error;
      this.counters.errors++;
    }
  }

  private messageOf(news: SessionNews): string {
    return JSON.stringify({ ...news, from: this.processId });
  }

  private deletion({
    tenantId,
    participantId,
    id,
    createdAt,
  }: PendingDeletion): [string, (string | number)[]] {
    const message = this.messageOf({ tenantId, participantId, id, version: TOMBSTONE_VERSION });
    const args = [id, createdAt.getTime(), TOMBSTONE_MS, this.keys.channel, message];
    return [this.keys.of(tenantId, participantId), args];
  }

  private deletionArguments(deletion: PendingDeletion): [string[], (string | number)[]] {
    const [key, args] = this.deletion(deletion);
    return [[key], args];
  }

  /** @throws what `send` throws; what was sent before is done */
  private async replay(send: (deletion: PendingDeletion) => Promise<unknown>): Promise<void> {
    while (this.pending.size > 0)
      await Promise.all(
        this.pending.first(REPLAY_BATCH).map(async (deletion) => {
          await send(deletion);
          this.pending.done(deletion);
        }),
      );
  }

  /** For what failed while Redis was not down, or came while it was being found back: no hook will be called for it. */
  private replaySoon(): void {
    if (this.destroyed || this.replayTimer) return;
    this.replayTimer = setTimeout(() => void this.replayNow(), REPLAY_INTERVAL_MS);
    this.replayTimer.unref();
  }

  private async replayNow(): Promise<void> {
    try {
      if (this.redis.available)
        await this.replay((deletion) =>
          this.redis.call((client) => deleteScript.run(client, ...this.deletionArguments(deletion))),
        );
    } catch (error) {
      this.counters.errors++;
      this.logger.debug({ err: error }, 'deleted sessions are still to be removed from Redis');
    } finally {
      this.replayTimer = undefined;
      if (this.pending.size > 0) this.replaySoon();
    }
  }
}

function isNews(value: unknown): value is SessionNews & { from: unknown } {
  if (!isJsonObject(value)) return false;
  const { tenantId, participantId, id, version } = value;
  return (
    [tenantId, participantId, id].every((text) => typeof text === 'string') && typeof version === 'number'
  );
}
