import { Injectable } from '@nestjs/common';
import { DuplicateKeyError, GroupCommit, type UnitOfWork } from '../database/index.js';
import { ConversationStateManager, type SessionMemoryStats } from './conversation-state-manager.js';
import { SessionConflictError } from './session.errors.js';
import { SESSION_COLLECTION } from './session.schema.js';
import { SessionRepository, type StoredState } from './session.repository.js';
import { SharedSessions, type SharedSessionStats } from './shared-sessions.js';
import { forgetText, textLength } from './state-text.js';

export interface SessionDatabaseStats {
  /** Lookups; those of `read` and `reload` as well. */
  reads: number;
  inserts: number;
  updates: number;
  /** Writes that were refused because the database had another version. */
  conflicts: number;
  deletes: number;
}

/**
 * Where `open` found its sessions. Rates are shares of all opens, 0 to 1; they and that of new sessions make
 * 1.
 */
export interface SessionOpenStats {
  total: number;
  l1: number;
  l2: number;
  database: number;
  /** Opens of participants that had no session. */
  none: number;
  hitRate: { l1: number; l2: number; l1AndL2: number; database: number };
}

export interface SessionStoreStats {
  l1: SessionMemoryStats;
  l2: SharedSessionStats;
  database: SessionDatabaseStats;
  opens: SessionOpenStats;
}

/**
 * The three tiers of session state in one place: the memory of this process, Redis, the database. The
 * database alone is the record; each write is a compare-and-set there on the version and id of what it was
 * made from, so that an old copy in a tier above costs a conflict and never an update. The tiers above are
 * updated after the commit, Redis first, and only move forward.
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
   * From the first tier that has it; null when the participant has no session. May be old: `write` finds that
   * out.
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

  /** From the database; the tiers above are updated by it. */
  async reload(tenantId: string, participantId: string): Promise<StoredState | null> {
    const stored = await this.find(tenantId, participantId);
    const known = this.memory.peek(tenantId, participantId);
    if (known && known.id !== stored?.id) this.memory.drop(tenantId, participantId);
    if (stored) await this.fill(stored);
    else await this.shared.clear(tenantId, participantId);
    return stored;
  }

  /** From the database alone. */
  read(tenantId: string, participantId: string): Promise<StoredState | null> {
    return this.find(tenantId, participantId);
  }

  /**
   * Stores `next`, which was made from `previous` (null: there was none), together with what `others` write.
   * @throws SessionConflictError when the database does not have `previous` any more; nothing was written,
   * and no tier returns it again
   * @throws whatever `others` throw
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

  /** Removes the session from all tiers; false when there was none. */
  async delete(tenantId: string, participantId: string): Promise<boolean> {
    const deleted = await this.repository.delete(tenantId, participantId);
    this.memory.drop(tenantId, participantId);
    if (!deleted) {
      await this.shared.clear(tenantId, participantId);
      return false;
    }
    this.database.deletes++;
    await this.shared.delete(tenantId, participantId, deleted);
    return true;
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

  private find(tenantId: string, participantId: string): Promise<StoredState | null> {
    this.database.reads++;
    return this.repository.find(tenantId, participantId);
  }

  private async fill(state: StoredState): Promise<void> {
    if (!isExpired(state)) await this.keep(state, false);
  }

  private async keep(state: StoredState, announce: boolean): Promise<void> {
    const outcome = await this.shared.put(state, announce);
    forgetText(state);
    // Another process is ahead already, so this one would meet a conflict with it.
    if (outcome === 'older') this.dropBehind(state);
    else this.memory.put(state);
  }

  /** Drops what memory has of the session up to `state`. */
  private dropBehind({ tenantId, participantId, id, version }: StoredState): void {
    const known = this.memory.peek(tenantId, participantId);
    if (known?.id === id && known.version <= version) this.memory.drop(tenantId, participantId);
  }
}

const isConflict = (error: unknown): boolean =>
  error instanceof SessionConflictError ||
  (error instanceof DuplicateKeyError && error.collection === SESSION_COLLECTION);

// Past its expiry the database has deleted it, or is about to.
const isExpired = ({ expiresAt }: StoredState): boolean => expiresAt.getTime() <= Date.now();
