import { Inject, Injectable } from '@nestjs/common';
import { type Attempt, KeyedSerializer, withRetries } from '../common/index.js';
import { SESSION_SETTINGS, type SessionSettings } from '../config/index.js';
import type { UnitOfWork } from '../database/index.js';
import { freshState, nextState } from './session-changes.js';
import { SessionConflictError, sessionNotFound } from './session.errors.js';
import { SessionStore } from './session-store.js';
import type { StoredState } from './session.repository.js';
import type { SessionChanges, SessionState } from './session.types.js';

const DAY_MS = 24 * 3_600_000;

const nothingElse: UnitOfWork<void> = { write: () => undefined };

/**
 * Opens and saves sessions. Two guards keep writers apart: work on one session is serial within this process, and each write
 * is a compare-and-set on the version, which keeps processes apart and finds out copies that are old. Where states are kept is the
 * business of the `SessionStore`.
 */
@Injectable()
export class SessionService {
  private readonly serializer = new KeyedSerializer();
  private readonly retentionMs: number;

  constructor(
    private readonly store: SessionStore,
    @Inject(SESSION_SETTINGS) settings: SessionSettings,
  ) {
    this.retentionMs = settings.SESSION_RETENTION_DAYS * DAY_MS;
  }

  /** Runs `work` when no other work on this session runs in this process. Not to be nested for the same session. */
  serialize<T>(tenantId: string, participantId: string, work: () => Promise<T>): Promise<T> {
    return this.serializer.run(`${tenantId}\0${participantId}`, work);
  }

  /**
   * The session as a writer starts from it: from memory, else from Redis, else from the database, else a fresh one that is not
   * stored. It may be old; `save` finds that out.
   */
  async open(tenantId: string, participantId: string): Promise<SessionState> {
    return (await this.store.open(tenantId, participantId)) ?? this.fresh(tenantId, participantId);
  }

  /** The session from the database, whatever the tiers above it have; a fresh one when there is none. */
  async reload(tenantId: string, participantId: string): Promise<SessionState> {
    return (await this.store.reload(tenantId, participantId)) ?? this.fresh(tenantId, participantId);
  }

  /**
   * The stored session for readers. Always from the database: another process may have written since this one took its copy, and
   * a reader has no compare-and-set to find that out.
   * @throws ProblemError 404 `session_not_found`
   */
  async read(tenantId: string, participantId: string): Promise<SessionState> {
    const stored = await this.find(tenantId, participantId);
    if (!stored) throw sessionNotFound(participantId);
    return stored;
  }

  /** As `read`; null when there is none. */
  find(tenantId: string, participantId: string): Promise<SessionState | null> {
    return this.store.read(tenantId, participantId);
  }

  /**
   * Stores `state` with `changes` as its next version and returns it.
   * @throws SessionConflictError when the stored version is not that of `state`; nothing was written then
   * @throws ProblemError 413 `session_too_large`, 400 `too_many_goals`
   */
  async save(state: SessionState, changes: SessionChanges, timeoutMs?: number): Promise<SessionState> {
    return (await this.saveWith(state, changes, () => nothingElse, timeoutMs)).session;
  }

  /**
   * As `save`, together with what a unit of work writes: all of it, or nothing.
   * @param others makes the unit, given the session as it will be stored
   */
  async saveWith<T>(
    state: SessionState,
    changes: SessionChanges,
    others: (session: StoredState) => UnitOfWork<T>,
    timeoutMs?: number,
  ): Promise<{ session: SessionState; result: T }> {
    const session = nextState(state, changes, new Date(), this.retentionMs);
    const previous = isStored(state) ? state : null;
    return { session, result: await this.store.write(session, previous, others(session), timeoutMs) };
  }

  /**
   * Runs `work` on the session, serially in this process. When others changed the session in the meantime it runs again, on the state
   * that is in the database then, within the limits of `withRetries`.
   * @param isRetryable further errors after which `work` may run again
   * @param timeoutMs no new attempt begins after this time
   * @throws SessionConflictError (409) when every attempt met a conflict
   */
  withRetry<T>(
    tenantId: string,
    participantId: string,
    work: (state: SessionState, attempt: Attempt) => Promise<T>,
    isRetryable: (error: unknown) => boolean = () => false,
    timeoutMs?: number,
  ): Promise<T> {
    let isOutdated = false;
    return this.serialize(tenantId, participantId, () =>
      withRetries(
        async (attempt) => work(await this[isOutdated ? 'reload' : 'open'](tenantId, participantId), attempt),
        (error) => {
          isOutdated ||= error instanceof SessionConflictError;
          return error instanceof SessionConflictError || isRetryable(error);
        },
        timeoutMs,
      ),
    );
  }

  /**
   * Removes the session from all tiers. A copy in the memory of another process cannot bring it back: its next save finds no such
   * row.
   * @throws ProblemError 404 `session_not_found`
   */
  async delete(tenantId: string, participantId: string): Promise<void> {
    await this.serialize(tenantId, participantId, async () => {
      if (!(await this.store.delete(tenantId, participantId))) throw sessionNotFound(participantId);
    });
  }

  private fresh(tenantId: string, participantId: string): SessionState {
    return freshState(tenantId, participantId, new Date(), this.retentionMs);
  }
}

const isStored = (state: SessionState): state is StoredState => state.id !== null;
