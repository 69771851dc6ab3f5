import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { SESSION_SETTINGS, type SessionSettings } from '../config/index.js';
import { LOGGER, type Logger } from '../logging/index.js';
import {
  type Invalidation,
  InvalidationBus,
  type RedisScript,
  RedisService,
  RedisUnavailableError,
  type ScriptArgument,
} from '../redis/index.js';
import { isJsonObject } from './json.js';
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

/**
 * Another process has stored `version` of session `id`, or deleted it (then `version` is above all versions).
 */
export interface SessionChange {
  readonly tenantId: string;
  readonly participantId: string;
  readonly id: string;
  readonly version: number;
}

/** A deleted session. `id` is the participant's id. */
interface Deletion extends Invalidation {
  readonly id: string;
  readonly session: DeletedSession;
}

export interface SharedSessionStats {
  /** `off`: Redis is not configured or disabled; otherwise the state of its circuit breaker. */
  state: ReturnType<RedisService['stats']>['state'];
  hits: number;
  misses: number;
  /** Share of hits among all lookups, 0 to 1. */
  hitRate: number;
  /** Puts that were stored. */
  writes: number;
  /** Puts that were rejected because a newer state was present. */
  stale: number;
  /** Entries that were removed because a write had found them to be outdated. */
  dropped: number;
  /** Calls that failed or timed out. */
  errors: number;
  /**
   * Operations that skipped Redis: it was considered down, the tenant is excluded, or a deletion is pending.
   */
  skipped: number;
  /** Deletions that have not reached Redis yet. */
  pendingDeletions: number;
}

/** The result of a put; `unknown` if Redis was not used or failed. */
export type PutOutcome = 'kept' | 'older' | 'unknown';

const HOUR_MS = 3_600_000;
const TOMBSTONE_MS = 5 * 60_000;

/**
 * The session tier in Redis, shared by all processes; the second of three. The database is authoritative: an
 * entry may be outdated or missing at any time, which costs a database read or a conflict but never loses an
 * update. No method rejects, or takes longer than the timeout of a Redis command. Without Redis they do
 * nothing.
 */
@Injectable()
export class SharedSessions implements OnModuleDestroy {
  private readonly bus: InvalidationBus<Deletion>;
  private readonly ttlMs: number;
  private readonly counters = { hits: 0, misses: 0, writes: 0, stale: 0, dropped: 0, errors: 0, skipped: 0 };

  constructor(
    private readonly redis: RedisService,
    @Inject(SHARED_SESSION_POLICY) private readonly policy: SharedSessionPolicy,
    @Inject(SESSION_SETTINGS) settings: SessionSettings,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.ttlMs = settings.SESSION_TTL_HOURS * HOUR_MS;
    this.bus = new InvalidationBus(redis, logger, {
      module: 'session',
      apply: async (client, { tenantId, id: participantId, session: { id, createdAt } }) => {
        const message = this.bus.message({ tenantId, participantId, id, version: TOMBSTONE_VERSION });
        const args = [id, createdAt.getTime(), TOMBSTONE_MS, this.bus.keys.channel, message];
        await deleteScript.run(client, [this.bus.keys.of(tenantId, participantId)], args);
      },
    });
  }

  onModuleDestroy(): void {
    this.bus.stop();
  }

  /**
   * `onChange` is called when another process stored or deleted a session, `onGap` when such messages may
   * have been lost.
   */
  listen(onChange: (change: SessionChange) => void, onGap: () => void): void {
    this.bus.listen({
      onMessage: (message) => {
        if (isSessionChange(message)) onChange(message);
      },
      onGap,
    });
  }

  /**
   * Returns undefined if there is no entry or Redis may not be used. Each read restarts SESSION_TTL_HOURS.
   */
  async read(tenantId: string, participantId: string): Promise<StoredState | undefined> {
    if (!(await this.mayUse(tenantId))) return undefined;
    if (this.bus.isPending(tenantId, participantId)) {
      this.counters.skipped++;
      return undefined;
    }
    const reply = await this.run(readScript, this.bus.keys.of(tenantId, participantId), [
      Date.now(),
      this.ttlMs,
    ]);
    if (reply === undefined) return undefined;
    const state = stateOf(tenantId, participantId, reply);
    if (state) this.counters.hits++;
    else this.counters.misses++;
    // Otherwise an entry that cannot be parsed would be a miss until it expires.
    if (!state && reply !== null) await this.clear(tenantId, participantId);
    return state;
  }

  /**
   * Stores a committed state unless a newer one is present. With `announce`, other processes are notified.
   */
  async put(state: StoredState, announce: boolean): Promise<PutOutcome> {
    const { tenantId, participantId, id, version, expiresAt } = state;
    if (!(await this.mayUse(tenantId))) {
      if (announce) await this.announce({ tenantId, participantId, id, version });
      return 'unknown';
    }
    const ttlMs = Math.min(this.ttlMs, expiresAt.getTime() - Date.now());
    if (ttlMs <= 0) return 'unknown';
    const message = announce ? this.bus.message({ tenantId, participantId, id, version }) : '';
    const channel = announce ? this.bus.keys.channel : '';
    const key = this.bus.keys.of(tenantId, participantId);
    const reply = await this.run(putScript, key, [...entryOf(state), ttlMs, channel, message]);
    if (reply === undefined) return 'unknown';
    if (reply === PUT_OLDER) {
      this.counters.stale++;
      return 'older';
    }
    this.counters.writes++;
    return 'kept';
  }

  /** Removes the entry if it is still `state`, which is not (or no longer) in the database. */
  async dropStale({ tenantId, participantId, id, version }: StoredState): Promise<void> {
    if (!this.isOn()) return;
    const dropped = await this.run(dropScript, this.bus.keys.of(tenantId, participantId), [id, version]);
    if (dropped === 1) this.counters.dropped++;
  }

  /** Removes the entry of a participant who has no session in the database. */
  async clear(tenantId: string, participantId: string): Promise<void> {
    if (!this.isOn()) return;
    const dropped = await this.run(clearScript, this.bus.keys.of(tenantId, participantId), []);
    if (dropped === 1) this.counters.dropped++;
  }

  /**
   * Removes a deleted session here and from the memory of other processes, and rejects late puts of it for
   * five minutes. When Redis is not available, that is repeated before this process reads the participant's
   * entry again.
   */
  async delete(tenantId: string, participantId: string, session: DeletedSession): Promise<void> {
    const isOn = this.isOn();
    const isDone = await this.bus.invalidate({ tenantId, id: participantId, session });
    if (isOn && !isDone) this.counters.errors++;
  }

  stats(): SharedSessionStats {
    const { hits, misses } = this.counters;
    return {
      state: this.redis.stats().state,
      ...this.counters,
      hitRate: hits === 0 ? 0 : hits / (hits + misses),
      pendingDeletions: this.bus.pendingCount,
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
        'could not determine whether a tenant may use Redis; its sessions are not shared',
      );
    }
    this.counters.skipped++;
    return false;
  }

  private run(script: RedisScript, key: string, args: readonly ScriptArgument[]): Promise<unknown> {
    return this.attempt(() => this.redis.call((client) => script.run(client, [key], args)));
  }

  /**
   * Notifies other processes of a state that is not stored in Redis, so that they drop their outdated copies.
   */
  private async announce(change: SessionChange): Promise<void> {
    if (this.redis.available) await this.attempt(() => this.bus.publish(change));
  }

  /** Returns undefined if Redis failed. */
  private async attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof RedisUnavailableError)) throw error;
      this.counters.errors++;
      return undefined;
    }
  }
}

function isSessionChange(value: unknown): value is SessionChange {
  if (!isJsonObject(value)) return false;
  const { tenantId, participantId, id, version } = value;
  return (
    [tenantId, participantId, id].every((text) => typeof text === 'string') && typeof version === 'number'
  );
}
