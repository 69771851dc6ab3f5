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
  /** Whole transactions that were run again after a transient error. */
  retries: number;
  /** Commits that were repeated because their outcome was unknown. */
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
 * For writes that are rare, or depend on reads within the transaction; `GroupCommit` is for the frequent ones.
 *
 * Runs work in one multi-document transaction: all of it is stored, or nothing. Every model call inside takes part by
 * itself; `Model.collection` and `connection.collection()` do not. Work may run several times, so its effects outside the
 * database belong into `afterCommit`. No `Promise.all` over database calls inside: a transaction is one conversation.
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

  /** True inside of `run`. */
  get active(): boolean {
    return this.current !== undefined;
  }

  /** Session of the running transaction, for commands that do not go through a model; undefined outside of `run`. */
  get session(): mongo.ClientSession | undefined {
    return this.current?.session;
  }

  /**
   * Runs `hook` once, after the running transaction has committed, never after an abort. Outside of a transaction: at once. The hooks of
   * a transaction begin in order and run side by side; `run` returns when all have ended.
   * A failing hook is logged; the transaction stays committed.
   */
  async afterCommit(hook: () => void | Promise<void>): Promise<void> {
    const context = this.current;
    if (context) context.afterCommit.push(hook);
    else await hook();
  }

  /**
   * Inside a running transaction `work` joins it. Any error aborts and is rethrown as it is; TransientTransactionError runs
   * the whole again with backoff, up to TRANSACTION_MAX_ATTEMPTS and TRANSACTION_TIMEOUT_MS.
   */
  async run<T>(work: (session: mongo.ClientSession) => Promise<T>): Promise<T> {
    const outer = this.current;
    if (outer) return work(outer.session);

    const deadline = Date.now() + this.settings.TRANSACTION_TIMEOUT_MS;
    let session = await this.startSession();
    try {
      for (let attempt = 1; ; attempt++) {
        const context: TransactionContext = { session, attempt, afterCommit: [], isOver: false };
        try {
          const result = await this.attempt(context, work, deadline);
          this.counters.committed++;
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
   * Ends the session, and aborts what is still open in it. That is so when the server is away: the abort would wait for it all over again,
   * and whoever waits for the transaction with it. So nobody waits; a server that never learns of the abort does it by its own time limit.
   */
  private async end(session: mongo.ClientSession): Promise<void> {
    const isOpen = session.inTransaction();
    const ended = session.endSession();
    if (!isOpen) return ended;
    ended.catch((error: unknown) => {
      this.logger.debug({ err: error }, 'a transaction was not aborted, as the database is away');
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
    const scope: { session: mongo.ClientSession | undefined } = { session };
    let result: T;
    try {
      result = await runWithin(transactionStorage, context, () =>
        runWithin(this.sessions, scope, () => work(session)),
      );
    } catch (error) {
      this.counters.aborted++;
      if (session.inTransaction() && !isDatabaseAway(error)) await session.abortTransaction();
      throw error;
    } finally {
      // Timers and loops that began inside live on in this asynchronous context.
      context.isOver = true;
      scope.session = undefined;
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
          this.logger.error({ err: error }, 'an after-commit hook failed; the transaction stays committed');
        }
      }),
    );
  }
}
