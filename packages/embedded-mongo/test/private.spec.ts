import { chmodSync, existsSync, mkdirSync, readdirSync, rmdirSync, statSync, symlinkSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { MongoClient } from 'mongodb';
import { EmbeddedMongo } from '../src/index.js';
import { socketPathFor } from '../src/server/private-socket.js';

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);
const socketOf = (uri: string): string =>
  decodeURIComponent(uri.slice('mongodb://'.length, uri.indexOf('/?')));

describe('a store on disk', () => {
  let root: string;
  const opened: EmbeddedMongo[] = [];

  const open = async (dir: string): Promise<EmbeddedMongo> => {
    const store = await EmbeddedMongo.open({ dir, inProcess: true });
    opened.push(store);
    return store;
  };
  const ping = async ({ uri }: EmbeddedMongo): Promise<unknown> => {
    const client = await MongoClient.connect(uri, { serverSelectionTimeoutMS: 5_000 });
    try {
      await client.db('a').collection('b').insertOne({ n: 1 });
      return await client.db('a').collection('b').countDocuments();
    } finally {
      await client.close();
    }
  };

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'store-'));
  });
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close();
    await rm(root, { recursive: true, force: true });
  });

  it.each([
    ['a new directory', undefined],
    ['a directory that was there before', 0o755],
  ])('is accessible to its user alone, in %s', async (_name, mode) => {
    const dir = join(root, 'store');
    if (mode !== undefined) mkdirSync(dir, { mode });
    await ping(await open(dir));
    const files = readdirSync(dir).sort();
    expect(files).toEqual(['data.mdb', 'lock.mdb', 'mongodb.sock']);
    expect(modeOf(dir)).toBe('700');
    for (const name of files) expect([name, modeOf(join(dir, name))]).toEqual([name, '600']);
  });

  it('takes the permissions of others from files of an earlier version', async () => {
    const dir = join(root, 'store');
    const store = await open(dir);
    await store.close();
    chmodSync(join(dir, 'data.mdb'), 0o664);
    await open(dir);
    expect(modeOf(join(dir, 'data.mdb'))).toBe('600');
  });

  it('gives a backup the same permissions', async () => {
    const copy = join(root, 'copy');
    await (await open(join(root, 'store'))).backup(copy);
    expect([modeOf(copy), modeOf(join(copy, 'data.mdb'))]).toEqual(['700', '600']);
  });

  it.each([
    'with spaces and tabs\tin it',
    '100% #1?&=+@:,;!',
    '%2F%00%zz',
    'quotes\'"`$(x)[y]{z}',
    '日本語 ñ é 😀',
    '.hidden.sock',
    'back\\slash',
    'new\nline',
  ])('can be in a directory named %j', async (name) => {
    const store = await open(join(root, name));
    const isInside = socketOf(store.uri) === join(root, name, 'mongodb.sock');
    // See `isUsable`.
    expect(isInside).toBe(!name.includes('%'));
    expect(await ping(store)).toBe(1);
    expect(await ping(await open(join(root, name)))).toBe(2);
  });

  it('listens on no port if its path is too long for a socket', async () => {
    const dir = join(root, ...Array.from({ length: 12 }, () => 'x'.repeat(200)), '日本語 %');
    const store = await open(dir);
    const socket = socketOf(store.uri);
    expect(Buffer.byteLength(socket)).toBeLessThanOrEqual(100);
    expect([modeOf(dirname(socket)), modeOf(socket)]).toEqual(['700', '600']);
    expect(await ping(store)).toBe(1);
    const attached = await open(dir);
    expect([attached.attached, attached.uri]).toEqual([true, store.uri]);
    await store.close();
    expect(existsSync(dirname(socket))).toBe(false);
  });

  it('does not trust a directory for its socket that somebody else may have made', () => {
    const dir = join('/', 'x'.repeat(200));
    const usual = dirname(socketPathFor(dir, root));
    expect(dirname(socketPathFor(dir, root))).toBe(usual);
    chmodSync(usual, 0o777);
    expect(socketPathFor(dir, root)).not.toContain(`${usual}/`);
    const other = join('/', 'y'.repeat(200));
    const target = join(root, 'target');
    mkdirSync(target, { mode: 0o700 });
    const wanted = dirname(socketPathFor(other, root));
    rmdirSync(wanted);
    symlinkSync(target, wanted);
    expect(socketPathFor(other, root)).not.toContain(`${wanted}/`);
  });

  it('puts its socket into /tmp if the temporary folder has a long path too', () => {
    const socket = socketPathFor(join('/', 'x'.repeat(200)), join(root, 'y'.repeat(100)));
    expect(socket).toMatch(/^\/tmp\/embedded-mongo-/);
    rmdirSync(dirname(socket));
  });
});
