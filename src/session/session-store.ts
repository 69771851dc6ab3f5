import { Injectable } from '@nestjs/common';
import { DuplicateKeyError, GroupCommit, type UnitOfWork } from '../database/index.js';
import { ConversationStateManager, type SessionMemoryStats } from './conversation-state-manager.js';
import { SessionConflictError } from './session.errors.js';
import { SESSION_COLLECTION } from './session.schema.js';
import { SessionRepository, type StoredState } from './session.repository.js';
import type { SessionState } from './session.types.js';
import { SharedSessions, type SharedSessionStats } from './shared-sessions.js';
import { forgetText, textLength } from './state-text.js';

export interface SessionDatabaseStats {
  /** Lookups, including those of `read` and `reload`. */
  reads: number;
  inserts: number;
  updates: number;
  /** Writes that were rejected because the database had another version. */
  conflicts: number;
  deletes: number;
}

/**
 * Where `open` found its sessions. Rates are shares of all opens, 0 to 1; the rest of the opens found no
 * session.
 */
export interface SessionOpenStats {
  total: number;
  l1: number;
  l2: number;
  database: number;
  /** Opens for participants without a session. */
  none: number;
  hitRate: { l1: number; l2: number; l1AndL2: number; database: number };
}

export interface SessionStoreStats {
  l1: SessionMemoryStats;
  l2: SharedSessionStats;
  database: SessionDatabaseStats;
  opens: SessionOpenStats;
}

/** Number of sessions that are deleted concurrently with their tenant. */
const DELETED_AT_ONCE = 50;

/**
 * Combines the three tiers of session state: process memory, Redis and the database. The database is
 * authoritative: each write is a compare-and-set on the version and id of the state it was made from, so an
 * outdated copy in an upper tier causes a conflict but never a lost update. The upper tiers are updated after
 * the commit, Redis first, and only to newer versions.
 */
@Injectable()
export class SessionStore {
  private readonly database = { reads: 0, inserts: 0, updates: 0, conflicts: 0, deletes: 0 };
  private readonly opens = { total: 0, l1: 0, l2: 0, database: 0, none: 0 };

  constructor(
    private readonly memory: ConversationStateManager,
    private readonly shared: SharedSessions,
    private readonly repository: SessionRepository,
    private readonly commits: GroupCommit,
  ) {
    shared.listen(
      ({ tenantId, participantId, id, version }) => {
        const known = memory.peek(tenantId, participantId);
        // Versions of different sessions cannot be compared. A copy dropped needlessly costs one read from
        // Redis.
        if (known && (known.id !== id || known.version < version)) memory.drop(tenantId, participantId);
      },
      // Any copy may be outdated. A write would detect it, but only after its responder had run.
      () => {
        memory.clear();
      },
    );
  }

  /**
   * Returns the session from the first tier that has it; null if the participant has none. It may be
   * outdated, which `write` detects.
   */
  async open(tenantId: string, participantId: string): Promise<StoredState | null> {
    this.opens.total++;
    const known = this.memory.get(tenantId, participantId);
    if (known && !isExpired(known)) {
      this.opens.l1++;
      return known;
    }
    if (known) this.memory.drop(tenantId, participantId);
    const shared = await this.shared.read(tenantId, participantId);
    if (shared && !isExpired(shared)) {
      this.opens.l2++;
      this.memory.put(shared);
      return shared;
    }
    const stored = await this.find(tenantId, participantId);
    this.opens[stored ? 'database' : 'none']++;
    if (stored) await this.fill(stored);
    return stored;
  }

  /** Reads from the database and updates the upper tiers. */
  async reload(tenantId: string, participantId: string): Promise<StoredState | null> {
    const stored = await this.find(tenantId, participantId);
    const known = this.memory.peek(tenantId, participantId);
    if (known && known.id !== stored?.id) this.memory.drop(tenantId, participantId);
    if (stored) await this.fill(stored);
    else await this.shared.clear(tenantId, participantId);
    return stored;
  }

  /** Reads from the database only. */
  read(tenantId: string, participantId: string): Promise<StoredState | null> {
    return this.find(tenantId, participantId);
  }

  /**
   * Stores `next`, which was made from `previous` (null: there was none), together with the writes of
   * `others`.
   * @throws SessionConflictError if the database no longer has `previous`. Then nothing has been written, and
   * no tier returns it again.
   * @throws any error that `others` throw
   */
  async write<T>(
    next: StoredState,
    previous: StoredState | null,
    others: UnitOfWork<T>,
    timeoutMs?: number,
  ): Promise<T> {
    let result: T;
    try {
      const unit: UnitOfWork<T> = {
        ...others,
        bytes: (others.bytes ?? 0) + 1024 + 2 * textLength(next),
        write: (writer) => {
          this.repository.write(writer, next, previous);
          return others.write(writer);
        },
      };
      result = await this.commits.commit(unit, timeoutMs);
    } catch (error) {
      if (!isConflict(error)) throw error;
      this.database.conflicts++;
      this.memory.drop(next.tenantId, next.participantId);
      if (previous) await this.shared.dropStale(previous);
      throw new SessionConflictError(next.participantId);
    }
    this.database[previous ? 'updates' : 'inserts']++;
    await this.keep(next, true);
    return result;
  }

  /**
   * Removes the session from all tiers. Returns false if there was none, or another version than that of
   * `expected`.
   */
  async delete(tenantId: string, participantId: string, expected?: SessionState): Promise<boolean> {
    const deleted = await this.repository.delete(tenantId, participantId, new Date(), expected);
    this.memory.drop(tenantId, participantId);
    if (!deleted) {
      await this.shared.clear(tenantId, participantId);
      return false;
    }
    this.database.deletes++;
    await this.shared.delete(tenantId, participantId, deleted);
    return true;
  }

  /** Participants of the tenant with a session after `after`, in order of their ids. */
  participantIds(tenantId: string, after: string, limit: number): Promise<string[]> {
    return this.repository.participantIds(tenantId, after, limit);
  }

  /** Removes all sessions of a tenant from all tiers. */
  async deleteAll(tenantId: string, signal: AbortSignal): Promise<void> {
    for (;;) {
      const participants = await this.repository.participants(tenantId, DELETED_AT_ONCE);
      if (participants.length === 0) return;
      signal.throwIfAborted();
      await Promise.all(participants.map((participantId) => this.delete(tenantId, participantId)));
    }
  }

  stats(): SessionStoreStats {
    const { total, l1, l2, database } = this.opens;
    const rate = (count: number): number => (total === 0 ? 0 : count / total);
    return {
      l1: this.memory.getStats(),
      l2: this.shared.stats(),
      database: { ...this.database },
      opens: {
        ...this.opens,
        hitRate: { l1: rate(l1), l2: rate(l2), l1AndL2: rate(l1 + l2), database: rate(database) },
      },
    };
  }

  /**
   * An expired session is not returned. It is deleted, because the TTL index of the database does that up to a
   * minute late, and until then no new session of the participant could be inserted.
   */
  private async find(tenantId: string, participantId: string): Promise<StoredState | null> {
    this.database.reads++;
    const stored = await this.repository.find(tenantId, participantId);
    if (!stored || !isExpired(stored)) return stored;
    await this.repository.deleteExpired(tenantId, participantId, new Date());
    return null;
  }

  private async fill(state: StoredState): Promise<void> {
    if (!isExpired(state)) await this.keep(state, false);
  }

  private async keep(state: StoredState, announce: boolean): Promise<void> {
    const outcome = await this.shared.put(state, announce);
    forgetText(state);
    // Another process has stored a newer version, so a write based on this one would fail with a conflict.
    if (outcome === 'older') this.dropBehind(state);
    else this.memory.put(state);
  }

  /** Drops the copy in memory if its version is that of `state` or older. */
  private dropBehind({ tenantId, participantId, id, version }: StoredState): void {
    const known = this.memory.peek(tenantId, participantId);
    if (known?.id === id && known.version <= version) this.memory.drop(tenantId, participantId);
  }
}

const isConflict = (error: unknown): boolean =>
  error instanceof SessionConflictError ||
  (error instanceof DuplicateKeyError && error.collection === SESSION_COLLECTION);

const isExpired = ({ expiresAt }: StoredState): boolean => expiresAt.getTime() <= Date.now();
