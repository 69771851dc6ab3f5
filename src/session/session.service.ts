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

const noOtherWrites: UnitOfWork<void> = { write: () => undefined };

/**
 * Opens and saves sessions. Work on one session is serial within this process. Across processes, each write
 * is a compare-and-set on the version, which also detects outdated copies. `SessionStore` decides where
 * states are kept.
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

  /**
   * Runs `work` when no other work on this session is running in this process. Must not be nested for the
   * same session.
   */
  serialize<T>(tenantId: string, participantId: string, work: () => Promise<T>): Promise<T> {
    return this.serializer.run(`${tenantId}\0${participantId}`, work);
  }

  /**
   * Returns the session for a writer: from memory, otherwise from Redis, otherwise from the database,
   * otherwise a new one that is not stored. It may be outdated, which `save` detects.
   */
  async open(tenantId: string, participantId: string): Promise<SessionState> {
    return (await this.store.open(tenantId, participantId)) ?? this.fresh(tenantId, participantId);
  }

  /**
   * Reads the session from the database, bypassing memory and Redis. Returns a new one if it does not exist.
   */
  async reload(tenantId: string, participantId: string): Promise<SessionState> {
    return (await this.store.reload(tenantId, participantId)) ?? this.fresh(tenantId, participantId);
  }

  /**
   * Returns the stored session for readers. Always reads the database: another process may have written since
   * this one cached its copy, and a reader has no compare-and-set to detect that.
   * @throws ProblemError 404 `session_not_found`
   */
  async read(tenantId: string, participantId: string): Promise<SessionState> {
    const stored = await this.find(tenantId, participantId);
    if (!stored) throw sessionNotFound(participantId);
    return stored;
  }

  /** Like `read`, but returns null if the session does not exist. */
  find(tenantId: string, participantId: string): Promise<SessionState | null> {
    return this.store.read(tenantId, participantId);
  }

  /**
   * Applies `changes` to `state`, stores the result as the next version, and returns it.
   * @throws SessionConflictError if the stored version is not that of `state`; nothing is written then
   * @throws ProblemError 413 `session_too_large`, 400 `too_many_goals`
   */
  async save(state: SessionState, changes: SessionChanges, timeoutMs?: number): Promise<SessionState> {
    return (await this.saveWith(state, changes, () => noOtherWrites, timeoutMs)).session;
  }

  /**
   * Like `save`, but in one unit of work with other writes: either all are committed or none.
   * @param others creates the unit, given the session as it will be stored
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
   * Runs `work` on the session, serially in this process. After a conflict it runs again on the state that is
   * then in the database, within the limits of `withRetries`.
   * @param isRetryable further errors after which `work` may run again
   * @param timeoutMs no new attempt starts after this time
   * @throws SessionConflictError (409) if every attempt failed with a conflict
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
   * Deletes the session from all tiers. A copy in the memory of another process cannot restore it: its next
   * save does not find the document.
   * @param check if given, receives the stored state, and only that state is deleted unless it throws
   * @throws ProblemError 404 `session_not_found`
   */
  async delete(
    tenantId: string,
    participantId: string,
    check?: (state: SessionState) => void,
  ): Promise<void> {
    await this.serialize(tenantId, participantId, () =>
      withRetries(
        async () => {
          const state = check && (await this.reload(tenantId, participantId));
          if (state) check(state);
          if (state?.id === null) throw sessionNotFound(participantId);
          if (await this.store.delete(tenantId, participantId, state)) return;
          throw state ? new SessionConflictError(participantId) : sessionNotFound(participantId);
        },
        (error) => error instanceof SessionConflictError,
      ),
    );
  }

  /**
   * Removes the session from all tiers, whether or not there is one, and returns whether there was one. Does not
   * wait for other work on the session: work in progress gets a conflict.
   */
  erase(tenantId: string, participantId: string): Promise<boolean> {
    return this.store.delete(tenantId, participantId);
  }

  /** Participants of the tenant with a session after `after`, in order of their ids: up to `limit`. */
  participantIds(tenantId: string, after: string, limit: number): Promise<string[]> {
    return this.store.participantIds(tenantId, after, limit);
  }

  /**
   * Removes what a session took from a conversation that is being erased: if that is its current
   * conversation, the reference to it and the goals with their slots. The context stays. Does not wait for
   * other work on the session, which may itself finish the erasure: work in progress gets a conflict.
   */
  async detach(tenantId: string, participantId: string, conversationId: string): Promise<void> {
    const isIn = (state: SessionState | null): boolean => state?.conversationId === conversationId;
    if (!isIn(await this.find(tenantId, participantId))) return;
    await withRetries(
      async ({ remainingMs }) => {
        const state = await this.reload(tenantId, participantId);
        if (isIn(state)) await this.save(state, { activeGoals: [], conversationId: null }, remainingMs);
      },
      (error) => error instanceof SessionConflictError,
    );
  }

  private fresh(tenantId: string, participantId: string): SessionState {
    return freshState(tenantId, participantId, new Date(), this.retentionMs);
  }
}

const isStored = (state: SessionState): state is StoredState => state.id !== null;
