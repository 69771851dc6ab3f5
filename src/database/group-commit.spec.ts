import { type Connection, mongo } from 'mongoose';
import { loadSettings } from '../config/index.js';
import { GroupCommit } from './group-commit.js';
import type { ProcessRegistry } from './process-registry.js';
import type { UnitWriter } from './unit-of-work.js';

const labelled = (label: string): mongo.MongoError => {
  const error = new mongo.MongoServerError({ message: label });
  error.addErrorLabel(label);
  return error;
};

/** A fake server that stores what is committed. Each commit and command can be made to fail. */
class ServerFake {
  readonly stored: mongo.Document[] = [];
  readonly failures: { command: mongo.Document[]; commit: unknown[] } = { command: [], commit: [] };
  commits = 0;
  aborts = 0;

  readonly database = { command: (command: mongo.Document) => this.run(command) };
  readonly connection = {
    getClient: () => ({ startSession: () => this.session() }),
    db: this.database,
  } as unknown as Connection;
  private written: mongo.Document[] = [];

  private run(command: mongo.Document): Promise<mongo.Document> {
    const failure = this.failures.command.shift();
    if (failure instanceof Error) return Promise.reject(failure);
    const documents = command['documents'] as mongo.Document[];
    this.written.push(...documents);
    return Promise.resolve({ ok: 1, n: documents.length });
  }

  private session() {
    let open = false;
    return {
      startTransaction: () => {
        open = true;
        this.written = [];
      },
      inTransaction: () => open,
      abortTransaction: () => {
        open = false;
        this.aborts++;
        return Promise.resolve();
      },
      endSession: () => Promise.resolve(),
      commitTransaction: () => {
        this.commits++;
        const failure = this.failures.commit.shift();
        if (failure instanceof Error) return Promise.reject(failure);
        open = false;
        this.stored.push(...this.written);
        return Promise.resolve();
      },
    };
  }
}

const insert = (name: string) => ({
  write: (writer: { insert(collection: string, document: mongo.Document): void }) => {
    writer.insert('names', { name });
    return name;
  },
});

describe('GroupCommit when the server fails', () => {
  let server: ServerFake;
  let commits: GroupCommit;

  beforeEach(() => {
    server = new ServerFake();
    const settings = loadSettings({ TRANSACTION_TIMEOUT_MS: '2000' }).database;
    const processes = { remember: () => Promise.resolve() } as unknown as ProcessRegistry;
    commits = new GroupCommit(server.connection, settings, processes);
  });

  it('retries only the commit when its outcome is unknown', async () => {
    server.failures.commit.push(labelled('UnknownTransactionCommitResult'));
    expect(await commits.commit(insert('a'))).toBe('a');
    expect(server).toMatchObject({ commits: 2, aborts: 0, stored: [{ name: 'a' }] });
    expect(commits.stats()).toMatchObject({ commits: 1, commitRetries: 1, conflicts: 0 });
  });

  it('aborts and retries the transaction after a write conflict', async () => {
    server.failures.command.push(labelled('TransientTransactionError'));
    expect(await Promise.all([commits.commit(insert('a')), commits.commit(insert('b'))])).toEqual(['a', 'b']);
    expect(server).toMatchObject({ aborts: 1, stored: [{ name: 'a' }, { name: 'b' }] });
    expect(commits.stats()).toMatchObject({ commits: 1, units: 2, conflicts: 1 });
  });

  it('reports no unit as stored while the outcome of its commit is unknown', async () => {
    jest.useFakeTimers();
    try {
      server.failures.commit.push(
        ...Array.from({ length: 10_000 }, () => labelled('UnknownTransactionCommitResult')),
      );
      const outcome = commits.commit(insert('a')).catch((error: unknown) => error);
      await jest.advanceTimersByTimeAsync(3000);
      expect(await outcome).toBeInstanceOf(mongo.MongoServerError);
      expect(server.stored).toEqual([]);
    } finally {
      jest.useRealTimers();
    }
  });

  it('separates a unit that makes the whole transaction fail from the others', async () => {
    const poison = new mongo.MongoServerError({ message: 'too large', code: 10334 });
    jest.spyOn(server.database, 'command').mockImplementation((command: mongo.Document) => {
      const documents = command['documents'] as { name: string }[];
      if (documents.some(({ name }) => name === 'poison')) return Promise.reject(poison);
      return Promise.resolve({ ok: 1, n: documents.length });
    });
    const names = ['a', 'b', 'poison', 'c'];
    const outcomes = await Promise.allSettled(names.map((name) => commits.commit(insert(name))));
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
    expect(outcomes[2]).toMatchObject({ reason: poison });
  });

  it('commits other units while one unit keeps conflicting until its deadline', async () => {
    const conflict = labelled('TransientTransactionError');
    jest.spyOn(server.database, 'command').mockImplementation((command: mongo.Document) => {
      const documents = command['documents'] as { name: string }[];
      if (documents.some(({ name }) => name === 'locked')) return Promise.reject(conflict);
      return Promise.resolve({ ok: 1, n: documents.length });
    });
    const locked = commits.commit(insert('locked'), 500).catch((error: unknown) => error);
    const names = Array.from({ length: 64 }, (_, index) => `n${index}`);
    const others = Promise.all(names.map((name) => commits.commit(insert(name))));
    expect(await Promise.race([others, locked])).toEqual(names);
    expect(await locked).toBe(conflict);
    expect(commits.stats()).toMatchObject({ units: 64, rejected: 1, waiting: 0 });
  });

  it('rejects all units immediately when the transaction cannot succeed', async () => {
    const quota = new mongo.MongoServerError({ message: 'over the quota', code: 8000 });
    server.failures.command.push(quota);
    const outcomes = await Promise.allSettled(['a', 'b', 'c'].map((name) => commits.commit(insert(name))));
    for (const outcome of outcomes) expect(outcome).toEqual({ status: 'rejected', reason: quota });
    expect(server.commits).toBe(0);
  });

  it('assigns a new stamp to a unit that waited too long, and does not count it as settled before', async () => {
    jest.useFakeTimers({ now: 1_000_000, doNotFake: ['setImmediate', 'performance'] });
    try {
      let stamp = new Date(0);
      const committed = commits.commit({
        write: (writer) => {
          ({ stamp } = writer);
          writer.insert('names', { name: 'late' });
        },
      });
      expect(commits.settledUntil().getTime()).toBe(999_999);
      jest.setSystemTime(1_005_000);
      await committed;
      expect(stamp.getTime()).toBe(1_005_000);
    } finally {
      jest.useRealTimers();
    }
  });

  it('advances stamps at half speed after the clock is set back, and follows the clock once it has caught up', async () => {
    jest.useFakeTimers({ now: 10_000_000, doNotFake: ['setImmediate'] });
    try {
      const stamps: number[] = [];
      const stamped = {
        write: (writer: UnitWriter) => {
          stamps.push(writer.stamp.getTime());
          writer.insert('names', { name: 'a' });
        },
      };
      await commits.commit(stamped);
      jest.setSystemTime(9_000_000);
      for (const passedMs of [0, 250, 250]) {
        jest.advanceTimersByTime(passedMs);
        await commits.commit(stamped);
      }
      jest.setSystemTime(10_001_000);
      await commits.commit(stamped);
      expect(stamps).toEqual([10_000_000, 10_000_000, 10_000_125, 10_000_250, 10_001_000]);
    } finally {
      jest.useRealTimers();
    }
  });
});
