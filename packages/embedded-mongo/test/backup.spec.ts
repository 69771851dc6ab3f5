import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { EmbeddedMongo } from '../src/index.js';
import { openTestStore, type TestStore } from './store.js';

interface Account {
  _id: number;
  balance: number;
}

const ACCOUNTS = 20;

describe('backup', () => {
  let test: TestStore;
  let folder: string;

  beforeAll(async () => {
    test = await openTestStore();
    folder = await mkdtemp(join(tmpdir(), 'embedded-mongo-backup-'));
  });

  afterAll(async () => {
    await test.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** Opens a copy, runs the callback on it, and closes it. */
  const withCopy = async (dir: string, work: (client: MongoClient) => Promise<void>): Promise<void> => {
    const store = await EmbeddedMongo.open({ dir, inProcess: true });
    const client = await MongoClient.connect(store.uri);
    try {
      expect(store.attached).toBe(false);
      await work(client);
    } finally {
      await client.close();
      await store.close();
    }
  };

  it('copies a store under load: with complete transactions, all earlier acknowledged writes, and consistent indexes', async () => {
    const db = test.client.db('bank');
    const accounts = db.collection<Account>('accounts');
    const log = db.collection<{ _id: string }>('log');
    await accounts.insertMany(Array.from({ length: ACCOUNTS }, (_, _id) => ({ _id, balance: 100 })));
    await accounts.createIndex({ balance: 1 });
    await log.createIndex({ writer: 1, n: -1 });
    let done = false;
    const acked: string[] = [];
    const transfer = async (from: number): Promise<void> => {
      while (!done)
        await test.client.withSession((session) =>
          session.withTransaction(async () => {
            await accounts.updateOne({ _id: from }, { $inc: { balance: -1 } }, { session });
            await accounts.updateOne({ _id: from + 1 }, { $inc: { balance: 1 } }, { session });
          }),
        );
    };
    const append = async (writer: string): Promise<void> => {
      for (let n = 0; !done; n++) {
        const _id = `${writer}${n}`;
        await log.insertOne({ _id, ...{ writer, n, text: 'x'.repeat(500) } });
        acked.push(_id);
        if (acked.length === 20) begun();
      }
    };
    let begun = (): void => undefined;
    const underWay = new Promise<void>((resolve) => (begun = resolve));
    const load = Promise.all([transfer(0), transfer(2), transfer(4), append('a'), append('b')]);
    await underWay;
    for (let nth = 1; nth <= 3; nth++) {
      const before = [...acked];
      const dir = join(folder, `copy${nth}`);
      await test.store.backup(dir);
      await withCopy(dir, async (client) => {
        const copy = client.db('bank');
        const found = await copy.collection<Account>('accounts').find().toArray();
        expect(found.reduce((sum, { balance }) => sum + balance, 0)).toBe(ACCOUNTS * 100);
        const ids = new Set(
          (await copy.collection<{ _id: string }>('log').find().toArray()).map(({ _id }) => _id),
        );
        expect(before.filter((id) => !ids.has(id))).toEqual([]);
        for (const name of ['accounts', 'log'])
          expect(await copy.command({ validate: name })).toMatchObject({ valid: true, errors: [] });
        await copy.collection('log').insertOne({ written: 'to the copy' });
      });
    }
    done = true;
    await load;
    expect(acked.length).toBeGreaterThan(0);
    expect(await log.countDocuments({ written: 'to the copy' })).toBe(0);
  });

  it('rejects a directory that is not empty', async () => {
    const dir = join(folder, 'taken');
    await mkdir(dir);
    await writeFile(join(dir, 'something'), '');
    await expect(test.store.backup(dir)).rejects.toThrow('the directory for a backup must be empty');
  });

  it('is rejected in a process that does not own the store', async () => {
    const attached = await EmbeddedMongo.open({ dir: test.dir, inProcess: true });
    expect(attached.attached).toBe(true);
    await expect(attached.backup(join(folder, 'attached'))).rejects.toThrow(
      'only that process can back it up',
    );
  });
});
