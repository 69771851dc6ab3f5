import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { MongoClient } from 'mongodb';
import { EmbeddedMongo } from '../src/index.js';
import { readOwner } from '../src/engine/owner.js';
import { openTestStore, type TestStore } from './store.js';

describe('a copy', () => {
  let test: TestStore;
  let folder: string;

  beforeAll(async () => {
    test = await openTestStore();
    folder = await mkdtemp(join(tmpdir(), 'embedded-mongo-copy-'));
  });

  afterAll(async () => {
    await test.close();
    await rm(folder, { recursive: true, force: true });
  });

  const idsIn = async (dir: string): Promise<unknown[]> => {
    const store = await EmbeddedMongo.open({ dir, inProcess: true });
    const client = await MongoClient.connect(store.uri);
    try {
      expect(store.attached).toBe(false);
      expect(await client.db('shop').command({ validate: 'orders' })).toMatchObject({ valid: true });
      return (await client.db('shop').collection('orders').find().toArray()).map(({ _id }) => _id);
    } finally {
      await client.close();
      await store.close();
    }
  };

  it('of an open store has its documents, private files, no owner and nothing that was deleted', async () => {
    const orders = test.client.db('shop').collection<{ _id: string; text: string }>('orders');
    await orders.createIndex({ text: 1 });
    const secret = 'a sentence that was deleted';
    const text = secret.repeat(30);
    await orders.insertMany(Array.from({ length: 500 }, (_, n) => ({ _id: `gone${n}`, text })));
    await orders.deleteMany({});
    await orders.insertMany([
      { _id: 'a', text: 'kept' },
      { _id: 'b', text: 'kept' },
    ]);
    const dir = join(folder, 'open');
    await EmbeddedMongo.copy(test.dir, dir);
    expect(await readOwner(dir)).toBeUndefined();
    expect((await readFile(join(test.dir, 'data.mdb'))).includes(secret)).toBe(true);
    expect((await readFile(join(dir, 'data.mdb'))).includes(secret)).toBe(false);
    expect((await stat(dir)).mode & 0o077).toBe(0);
    expect((await stat(join(dir, 'data.mdb'))).mode & 0o077).toBe(0);
    expect(await idsIn(dir)).toEqual(['a', 'b']);
  });

  it('of a store that another process has open has what was committed there', async () => {
    const from = join(folder, 'elsewhere');
    const store = await EmbeddedMongo.open({ dir: from, inProcess: true });
    const client = await MongoClient.connect(store.uri);
    await client.db('shop').collection<{ _id: string }>('orders').insertOne({ _id: 'first' });
    await client.close();
    await store.close();
    const script = `import { open } from 'lmdb';
      const db = open({ path: ${JSON.stringify(from)}, noSubdir: false, keyEncoding: 'binary', encoding: 'binary' });
      process.stdin.once('data', () => void db.close().then(() => process.exit()));
      console.log('open');`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { cwd: process.cwd() });
    await once(child.stdout, 'data');
    const dir = join(folder, 'copied');
    try {
      await EmbeddedMongo.copy(from, dir);
    } finally {
      child.stdin.write('end\n');
      await once(child, 'close');
    }
    expect(await idsIn(dir)).toEqual(['first']);
  });

  it('needs a store and an empty directory', async () => {
    const taken = join(folder, 'taken');
    await mkdir(taken);
    await writeFile(join(taken, 'something'), '');
    await expect(EmbeddedMongo.copy(test.dir, taken)).rejects.toThrow('must be empty');
    await expect(EmbeddedMongo.copy(taken, join(folder, 'none'))).rejects.toThrow('there is no store');
  });
});
