import { AsyncLocalStorage } from 'node:async_hooks';
import { type Connection, mongo } from 'mongoose';
import { loadSettings } from '../config/index.js';
import { createLogger } from '../logging/index.js';
import type { ProcessRegistry } from './process-registry.js';
import { TransactionRunner } from './transaction-runner.js';

/** A session of an unreachable server: an abort never completes. */
class LostSession {
  private open = false;
  readonly abortTransaction = jest.fn(() => new Promise<void>(() => undefined));
  readonly endSession = jest.fn(() => (this.open ? this.abortTransaction() : Promise.resolve()));

  startTransaction(): void {
    this.open = true;
  }

  inTransaction(): boolean {
    return this.open;
  }

  commitTransaction(): Promise<void> {
    this.open = false;
    return Promise.resolve();
  }
}

function setUp() {
  const sessions: LostSession[] = [];
  const connection = {
    base: { transactionAsyncLocalStorage: new AsyncLocalStorage() },
    startSession: () => {
      const session = new LostSession();
      sessions.push(session);
      return Promise.resolve(session);
    },
  } as unknown as Connection;
  const logger = createLogger({ level: 'silent', pretty: false });
  const remember = jest.fn(() => Promise.resolve());
  const processes = {
    remember,
  } satisfies Partial<ProcessRegistry> as Partial<ProcessRegistry> as ProcessRegistry;
  const runner = new TransactionRunner(connection, loadSettings({}).database, logger, processes);
  return { runner, sessions, remember };
}

const broken = (): mongo.MongoNetworkError => {
  const error = new mongo.MongoNetworkError('ECONNRESET');
  error.addErrorLabel('TransientTransactionError');
  return error;
};

describe('TransactionRunner while the server is unreachable', () => {
  it('retries in a new session, without waiting for the abort of the old one', async () => {
    const { runner, sessions } = setUp();
    const work = jest.fn((_session: unknown) => Promise.resolve('stored')).mockRejectedValueOnce(broken());
    await expect(runner.run((session) => work(session))).resolves.toBe('stored');
    expect(sessions).toHaveLength(2);
    expect(sessions.map(({ endSession }) => endSession.mock.calls.length)).toEqual([1, 1]);
    expect(runner.stats()).toMatchObject({ committed: 1, aborted: 1, retries: 1 });
  });

  it('does not count a transaction in which no command was sent', async () => {
    const { runner } = setUp();
    const gone = new mongo.MongoNetworkError('gone');
    await expect(runner.run(() => Promise.reject(gone))).rejects.toBe(gone);
    await expect(runner.run(() => Promise.resolve('nothing to do'))).resolves.toBe('nothing to do');
    expect(runner.stats()).toMatchObject({ committed: 0, aborted: 0 });
  });

  it('fails without waiting for the abort', async () => {
    const { runner, sessions } = setUp();
    const gone = new mongo.MongoServerSelectionError('none', {} as mongo.TopologyDescription);
    await expect(runner.run(() => Promise.reject(gone))).rejects.toBe(gone);
    expect(sessions.map(({ endSession }) => endSession.mock.calls.length)).toEqual([1]);
  });
});

describe('TransactionRunner', () => {
  it('starts no transaction on a session that could not be recorded for this process', async () => {
    const { runner, sessions, remember } = setUp();
    remember.mockRejectedValueOnce(new Error('not stored'));
    const work = jest.fn(() => Promise.resolve());
    await expect(runner.run(work)).rejects.toThrow('not stored');
    expect(work).not.toHaveBeenCalled();
    expect(sessions.map(({ endSession }) => endSession.mock.calls.length)).toEqual([1]);
  });
});
