import { Inject, Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { setTimeout as delay } from 'node:timers/promises';
import type { AsyncLocalStorage } from 'node:async_hooks';
import type { Connection, mongo } from 'mongoose';
import { backoffDelay } from '../common/index.js';
import { DATABASE_SETTINGS, type DatabaseSettings } from '../config/index.js';
import { LOGGER, type Logger } from '../logging/index.js';
import { isDatabaseAway, isTransientTransactionError, isUnknownCommitResult } from './errors.js';
import { ProcessRegistry } from './process-registry.js';
import { runWithin, type TransactionContext, transactionStorage } from './transaction-context.js';

export interface TransactionStats {
  committed: number;
  aborted: number;
  /** Whole transactions that were retried after a transient error. */
  retries: number;
  /** Commits that were retried because their outcome was unknown. */
  commitRetries: number;
}

type MongooseSessions = AsyncLocalStorage<{ session: mongo.ClientSession | undefined }>;

/** Mongoose's own storage, from which each model call takes its session. */
function mongooseSessions(connection: Connection): MongooseSessions {
  const { transactionAsyncLocalStorage } = connection.base as {
    transactionAsyncLocalStorage?: MongooseSessions;
  };
  if (!transactionAsyncLocalStorage)
    throw new Error('mongoose must be created with transactionAsyncLocalStorage: true');
  return transactionAsyncLocalStorage;
}

const transactionBackoff = { baseMs: 5, maxMs: 500, jitter: 1 };

/**
 * Runs work in one multi-document transaction: either all of it is stored, or nothing. For writes that are
 * rare or depend on reads within the transaction; use `GroupCommit` for frequent ones.
 *
 * Every model call inside the work joins the transaction automatically; `Model.collection` and
 * `connection.collection()` do not. Work may run several times, so effects outside the database belong in
 * `afterCommit`. Do not use `Promise.all` for database calls inside the work: a transaction runs one command
 * at a time.
 */
@Injectable()
export class TransactionRunner {
  private readonly counters: TransactionStats = { committed: 0, aborted: 0, retries: 0, commitRetries: 0 };
  private readonly sessions: MongooseSessions;

  constructor(
    @InjectConnection() private readonly connection: Connection,
    @Inject(DATABASE_SETTINGS) private readonly settings: DatabaseSettings,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly processes: ProcessRegistry,
  ) {
    this.sessions = mongooseSessions(connection);
  }

  stats(): TransactionStats {
    return { ...this.counters };
  }

  /** Whether the caller is inside `run`. */
  get active(): boolean {
    return this.current !== undefined;
  }

  /**
   * The session of the running transaction, for commands that do not go through a model. Undefined outside
   * `run`.
   */
  get session(): mongo.ClientSession | undefined {
    const context = this.current;
    if (context) context.hasCommands = true;
    return context?.session;
  }

  /**
   * Runs `hook` once after the running transaction has committed, and never after an abort. Outside a
   * transaction the hook runs immediately. The hooks of a transaction start in order and run concurrently;
   * `run` returns when all of them have finished. A failing hook is logged; the transaction stays committed.
   */
  async afterCommit(hook: () => void | Promise<void>): Promise<void> {
    const context = this.current;
    if (context) context.afterCommit.push(hook);
    else await hook();
  }

  /**
   * Runs `work` in a transaction, or in the running transaction when there is one. Any error aborts the
   * transaction and is rethrown unchanged. After a TransientTransactionError the whole work is retried with
   * backoff, up to TRANSACTION_MAX_ATTEMPTS and TRANSACTION_TIMEOUT_MS.
   */
  async run<T>(work: (session: mongo.ClientSession) => Promise<T>): Promise<T> {
    const outer = this.current;
    if (outer) {
      if (work.length > 0) outer.hasCommands = true;
      return work(outer.session);
    }

    const deadline = Date.now() + this.settings.TRANSACTION_TIMEOUT_MS;
    let session = await this.startSession();
    try {
      for (let attempt = 1; ; attempt++) {
        const context: TransactionContext = {
          session,
          attempt,
          hasCommands: work.length > 0,
          afterCommit: [],
          isOver: false,
        };
        try {
          const result = await this.attempt(context, work, deadline);
          if (context.hasCommands) this.counters.committed++;
          await this.runHooks(context);
          return result;
        } catch (error) {
          if (!this.mayRetry(error, attempt, deadline)) throw error;
          this.counters.retries++;
          await delay(backoffDelay(attempt, transactionBackoff));
          if (session.inTransaction()) {
            await this.end(session);
            session = await this.startSession();
          }
        }
      }
    } finally {
      await this.end(session);
    }
  }

  private async startSession(): Promise<mongo.ClientSession> {
    const session = await this.connection.startSession();
    try {
      await this.processes.remember(session);
      return session;
    } catch (error) {
      await session.endSession();
      throw error;
    }
  }

  private get current(): TransactionContext | undefined {
    const context = transactionStorage.getStore();
    return context?.isOver === true ? undefined : context;
  }

  /**
   * Ends the session, and aborts a transaction that is still open in it. A transaction is still open when the
   * server is unreachable: the abort would wait for the server again, and so would the caller. The abort is
   * therefore not awaited; a server that never receives it aborts the transaction after its own time limit.
   */
  private async end(session: mongo.ClientSession): Promise<void> {
    const isOpen = session.inTransaction();
    const ended = session.endSession();
    if (!isOpen) return ended;
    ended.catch((error: unknown) => {
      this.logger.debug(
        { err: error },
        'a transaction could not be aborted because the database is unreachable',
      );
    });
  }

  private mayRetry(error: unknown, attempt: number, deadline: number): boolean {
    return (
      isTransientTransactionError(error) &&
      attempt < this.settings.TRANSACTION_MAX_ATTEMPTS &&
      Date.now() < deadline
    );
  }

  private async attempt<T>(
    context: TransactionContext,
    work: (session: mongo.ClientSession) => Promise<T>,
    deadline: number,
  ): Promise<T> {
    const { session } = context;
    session.startTransaction({ readConcern: { level: 'snapshot' }, writeConcern: { w: 'majority' } });
    // Mongoose reads the session from here for each model call.
    const scope = {
      get session(): mongo.ClientSession | undefined {
        if (context.isOver) return undefined;
        context.hasCommands = true;
        return session;
      },
    };
    let result: T;
    try {
      result = await runWithin(transactionStorage, context, () =>
        runWithin(this.sessions, scope, () => work(session)),
      );
    } catch (error) {
      if (context.hasCommands) this.counters.aborted++;
      if (session.inTransaction() && !isDatabaseAway(error)) await session.abortTransaction();
      throw error;
    } finally {
      // Timers and loops that started inside the work keep running in this asynchronous context.
      context.isOver = true;
    }
    await this.commit(session, deadline);
    return result;
  }

  private async commit(session: mongo.ClientSession, deadline: number): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await session.commitTransaction();
        return;
      } catch (error) {
        if (!isUnknownCommitResult(error) || Date.now() >= deadline) throw error;
        this.counters.commitRetries++;
        await delay(backoffDelay(attempt, transactionBackoff));
      }
    }
  }

  private async runHooks({ afterCommit }: TransactionContext): Promise<void> {
    await Promise.all(
      afterCommit.map(async (hook) => {
        try {
          await hook();
        } catch (error) {
          this.logger.error({ err: error }, 'an after-commit hook failed; the transaction remains committed');
        }
      }),
    );
  }
}
