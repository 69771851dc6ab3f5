import { randomBytes } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import {
  appendFile,
  cp,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { EmbeddedMongo } from '@colloquy/embedded-mongo';
import { mongo } from 'mongoose';
import {
  type BackupReport,
  BackupService,
  markBackups,
  restoreBackup,
  type BackupRestoreReport,
} from '../../src/archive/backup/index.js';
import { BackupKeys } from '../../src/archive/backup/backup-keys.js';
import { type Manifest, readManifest } from '../../src/archive/backup/manifest.js';
import { verifyBackup } from '../../src/archive/backup/verify-backup.js';
import { type Environment, loadSettings } from '../../src/config/index.js';
import { createLogger } from '../../src/logging/index.js';
import { createTestApp } from '../support/app.js';
import { backupsIn, createBackupFolder, newBackupKey, openStoreOf, rawContents } from '../support/backups.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

const logger = createLogger({ level: 'silent', pretty: false });
const { Binary, Code, Decimal128, Double, Int32, Long, MaxKey, MinKey, ObjectId, Timestamp, UUID } = mongo;
const BSONRegExp = mongo.BSONRegExp;

let folder: Awaited<ReturnType<typeof createBackupFolder>>;

beforeEach(async () => {
  folder = await createBackupFolder();
});
afterEach(async () => {
  jest.restoreAllMocks();
  await folder.remove();
});

const path = (...names: string[]): string => join(folder.path, ...names);

const backUp = (
  env: Environment,
  options: { verify?: boolean; rotate?: boolean } = {},
): Promise<BackupReport> =>
  new BackupService(loadSettings(env), logger).run({
    outDir: path('backups'),
    signal: new AbortController().signal,
    ...options,
  });

const restore = (env: Environment, from = path('backups')): Promise<BackupRestoreReport> =>
  restoreBackup(loadSettings(env), logger, { from, signal: new AbortController().signal });

/** Values of every BSON type, among them those that a driver changes when it decodes and encodes them. */
const everyType = (): mongo.Document => ({
  _id: new ObjectId(),
  int: new Int32(1),
  double: new Double(1),
  minusZero: new Double(-0),
  notANumber: new Double(NaN),
  long: Long.fromString('1'),
  longest: Long.fromString('9223372036854775807'),
  decimal: Decimal128.fromString('1.10'),
  binary: new Binary(randomBytes(16), 0),
  userDefined: new Binary(randomBytes(5), 128),
  uuid: new UUID(),
  date: new Date('2026-11-30T12:34:56.789Z'),
  earlyDate: new Date(-1),
  timestamp: new Timestamp({ t: 7, i: 8 }),
  pattern: new BSONRegExp('^a.*b$', 'im'),
  code: new Code('return 1'),
  scoped: new Code('return n', { n: new Int32(2) }),
  nothing: null,
  min: new MinKey(),
  max: new MaxKey(),
  text: 'größer – 𝔸\u0000end',
  nested: { list: [new Int32(1), new Double(1), Long.fromNumber(1), [], {}], empty: {} },
  '': 'a field without a name',
  __proto__x: 1,
});

/** @param lastUsedAt of the sessions, which expire an hour later */
async function fill(database: mongo.Db, lastUsedAt: Date): Promise<void> {
  await database.createCollection('messages', { validator: { text: { $ne: 'refused' } } });
  const messages = database.collection('messages');
  await messages.insertOne({ _id: new ObjectId(), text: 'refused' }, { bypassDocumentValidation: true });
  await messages.insertMany(Array.from({ length: 20 }, everyType));
  await messages.createIndex({ text: 1, 'nested.list': -1 }, { name: 'by text' });
  await messages.createIndex(
    { uuid: 1 },
    { unique: true, partialFilterExpression: { int: { $exists: true } } },
  );
  const sessions = database.collection<{ _id: unknown; lastUsedAt: Date }>('sessions');
  await sessions.createIndex({ lastUsedAt: 1 }, { expireAfterSeconds: 3600 });
  await sessions.insertMany([
    { _id: 'a', lastUsedAt },
    { _id: new Int32(5), lastUsedAt },
    { _id: { b: 1 }, lastUsedAt },
    { _id: new Binary(randomBytes(4)), lastUsedAt },
  ]);
  await database.createCollection('empty');
  await database
    .collection('large')
    .insertMany(Array.from({ length: 3000 }, (_, n) => ({ n, text: `message ${n} `.repeat(60) })));
}

const indexesOf = async (database: mongo.Db): Promise<unknown> =>
  Promise.all(['messages', 'sessions', 'empty'].map((name) => database.collection(name).indexes()));

const manifestOf = async (dir: string): Promise<Record<string, unknown>> =>
  JSON.parse(await readFile(join(dir, 'manifest.json'), 'utf8')) as Record<string, unknown>;

const changeManifest = async (dir: string, change: object): Promise<void> => {
  const changed = { ...(await manifestOf(dir)), ...change };
  await writeFile(join(dir, 'manifest.json'), JSON.stringify(changed));
};

const flipByte = async (file: string, at: number): Promise<void> => {
  const handle = await open(file, 'r+');
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, at);
  await handle.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, at);
  await handle.close();
};

describe('a backup of the embedded store', () => {
  let env: Record<string, string>;
  let contents: Record<string, string[]>;
  let store: Awaited<ReturnType<typeof openStoreOf>>;

  beforeEach(async () => {
    env = { DATA_DIR: path('data') };
    store = await openStoreOf(path('data'));
    // Expired: neither the backup nor the restore may delete them.
    await fill(store.client.db('colloquy'), new Date('2020-01-01T00:00:00Z'));
    contents = await rawContents(store.client.db('colloquy'));
  });
  afterEach(() => store.close());

  const restored = async (dataDir: string): Promise<Record<string, string[]>> => {
    const copy = await openStoreOf(dataDir);
    try {
      return await rawContents(copy.client.db('colloquy'));
    } finally {
      await copy.close();
    }
  };

  it.each([
    ['not encrypted', undefined],
    ['encrypted', newBackupKey()],
  ])('%s has every byte of every document, made while the store is in use', async (_how, key) => {
    if (key !== undefined) env['BACKUP_KEY'] = key;
    const report = await backUp(env);
    expect(report).toMatchObject({
      kind: 'embedded',
      collections: 4,
      rows: 3025,
      verified: true,
      encrypted: key !== undefined,
      removed: [],
    });
    expect(await readdir(path('backups'))).toEqual([report.path.slice(path('backups').length + 1)]);
    const file = join(report.path, 'store', `data.mdb.gz${key === undefined ? '' : '.enc'}`);
    expect(statSync(file).mode & 0o077).toBe(0);
    const result = await restore({ ...env, DATA_DIR: path('new') });
    expect(result).toMatchObject({ rows: 3025, collections: 4, erasures: 0, hasErasures: false });
    expect(await restored(path('new'))).toEqual(contents);
    expect(await readdir(path('new'))).toEqual(['store']);
    expect(await rawContents(store.client.db('colloquy'))).toEqual(contents);
  });

  it('restores the newest backup of a directory, or the one that is named', async () => {
    const first = await backUp(env, { rotate: false });
    await store.client.db('colloquy').collection('empty').insertOne({ n: 1 });
    await backUp(env, { rotate: false });
    await restore({ ...env, DATA_DIR: path('newest') });
    await restore({ ...env, DATA_DIR: path('first') }, first.path);
    expect((await restored(path('newest')))['empty']).toHaveLength(1);
    expect((await restored(path('first')))['empty']).toHaveLength(0);
  });

  it('is not restored over anything', async () => {
    await backUp(env);
    await expect(restore(env)).rejects.toThrow(/already holds a database.*empty directory/);
    await mkdir(path('other'));
    await writeFile(path('other', 'something'), '');
    await expect(restore({ DATA_DIR: path('other') })).rejects.toThrow(/not empty: it contains something/);
    expect(await readdir(path('other'))).toEqual(['something']);
    expect(await rawContents(store.client.db('colloquy'))).toEqual(contents);
  });

  it('that is stopped leaves nothing', async () => {
    const service = new BackupService(loadSettings(env), logger);
    const controller = new AbortController();
    controller.abort(new Error('stopped'));
    await expect(service.run({ outDir: path('backups'), signal: controller.signal })).rejects.toThrow();
    expect(await readdir(path('backups'))).toEqual([]);
  });

  it('made with several keys is encrypted with the first, and earlier ones can still be restored', async () => {
    const [old, current] = [newBackupKey(), newBackupKey()];
    await backUp({ ...env, BACKUP_KEY: old });
    await restore({ BACKUP_KEY: `${current},${old}`, DATA_DIR: path('by-old') });
    await backUp({ ...env, BACKUP_KEY: `${current},${old}` });
    await restore({ BACKUP_KEY: current, DATA_DIR: path('by-current') });
    expect(await restored(path('by-old'))).toEqual(await restored(path('by-current')));
  });

  it('erases participants again who were erased after it was made', async () => {
    const before = new Date(Date.now() - 660_000);
    await markBackups(path('backups'), { tenantId: 't', participantHash: 'before', erasedAt: before });
    await backUp(env);
    const after = new Date(Date.now() + 1000);
    const later = new Date(Date.now() + 2000);
    await appendFile(path('backups', 'erasures.ndjson'), '{"tenantId":"t","participantHa');
    for (const erasedAt of [after, later, after])
      await markBackups(path('backups'), { tenantId: 't', participantHash: 'after', erasedAt });
    expect(statSync(path('backups', 'erasures.ndjson')).mode & 0o077).toBe(0);
    const warn = jest.spyOn(logger, 'warn');
    const report = await restore({ ...env, DATA_DIR: path('new') });
    expect(report).toMatchObject({ hasErasures: true, erasures: 3, damagedErasures: 1 });
    expect(warn).toHaveBeenCalledWith(
      { file: path('backups', 'erasures.ndjson'), lines: 1 },
      expect.stringMatching(/lines of the erasures cannot be read/),
    );
    const copy = await openStoreOf(path('new'));
    try {
      const rows = await copy.client.db('colloquy').collection('participant_erasures').find().toArray();
      expect(rows).toEqual([
        {
          _id: expect.anything(),
          tenantId: 't',
          participantHash: 'after',
          erasedAt: later,
          state: 'pending',
        },
      ]);
    } finally {
      await copy.close();
    }
  });

  describe('with archives', () => {
    const FILE = 'rows.ndjson.gz';
    const archive = (folder: string): string => path('data', 'archives', folder, FILE);
    const inBackup = (dir: string, folder: string): string => join(dir, 'archives', folder, FILE);
    const inode = (dir: string, folder: string): number => statSync(inBackup(dir, folder)).ino;
    const restoredFile = (folder: string): string => path('new', 'archives', folder, FILE);
    const records = (): mongo.Collection => store.client.db('colloquy').collection('archives');

    /** Writes the file of an archive, as a run does before the database refers to it. */
    async function write(folder: string, content: string | Buffer): Promise<void> {
      await mkdir(path('data', 'archives', folder), { recursive: true });
      await writeFile(archive(folder), content);
    }

    /** Writes the file of an archive, to which the database then refers. */
    async function put(folder: string, content: string | Buffer): Promise<void> {
      await write(folder, content);
      const contents = { folder, bytes: content.length };
      await records().updateOne({ 'contents.folder': folder }, { $set: { contents } }, { upsert: true });
    }

    /** Replaces the file of an archive by another one, as an erasure does. */
    async function replace(folder: string, by: string): Promise<void> {
      await write(by, 'without the participant');
      const contents = { folder: by, bytes: 'without the participant'.length };
      await records().updateOne({ 'contents.folder': folder }, { $set: { contents } });
      await rm(path('data', 'archives', folder), { recursive: true });
    }

    /** Calls `before` and `after` around each copy of the store that a backup makes. */
    function aroundCopies(before: () => Promise<void>, after: () => Promise<void>): jest.SpyInstance {
      const copy = EmbeddedMongo.copy.bind(EmbeddedMongo);
      return jest.spyOn(EmbeddedMongo, 'copy').mockImplementation(async (from, to) => {
        await before();
        await copy(from, to);
        await after();
      });
    }

    beforeEach(async () => {
      for (const folder of ['a/1', 'b/1', 'c/1']) await put(folder, randomBytes(2000));
      await writeFile(`${archive('c/1')}.1.tmp`, 'being written');
    });

    it('contains them, hard-links those that did not change, and restores them', async () => {
      const first = await backUp(env);
      expect(first).toMatchObject({ archives: 3, linkedArchives: 0 });
      await put('c/1', 'another');
      await replace('b/1', 'b/2');
      const second = await backUp(env, { rotate: false });
      expect(second).toMatchObject({ archives: 3, linkedArchives: 1 });
      expect(inode(second.path, 'a/1')).toBe(inode(first.path, 'a/1'));
      expect(inode(second.path, 'c/1')).not.toBe(inode(first.path, 'c/1'));
      // The first backup does not need the second, nor the other way round.
      await rm(first.path, { recursive: true });
      const report = await restore({ ...env, DATA_DIR: path('new') });
      expect(report.archives).toBe(3);
      for (const folder of ['a/1', 'b/2', 'c/1'])
        expect(await readFile(restoredFile(folder))).toEqual(await readFile(archive(folder)));
      expect(existsSync(restoredFile('b/1'))).toBe(false);
    });

    it('does not contain files that an erasure replaces during the backup', async () => {
      aroundCopies(
        () => replace('a/1', 'a/2'),
        () => Promise.resolve(),
      );
      const { path: backup, archives } = await backUp(env);
      expect(archives).toBe(3);
      expect(existsSync(inBackup(backup, 'a/1'))).toBe(false);
      expect(existsSync(inBackup(backup, 'a/2'))).toBe(true);
    });

    it('does not contain files to which the database does not refer', async () => {
      await write('d/1', 'being written');
      const { path: backup } = await backUp(env);
      expect((await readdir(join(backup, 'archives'))).sort()).toEqual(['a', 'b', 'c']);
    });

    it('copies the database again if a file to which the copy refers is gone', async () => {
      let made = 0;
      const copies = aroundCopies(
        () => put(`d/${++made}`, randomBytes(100)),
        async () => {
          // The first copy refers to a file that neither listing of the files has seen.
          if (made === 1) await replace('d/1', 'd/0');
        },
      );
      const { path: backup } = await backUp(env);
      expect(copies).toHaveBeenCalledTimes(2);
      expect(existsSync(inBackup(backup, 'd/1'))).toBe(false);
      for (const folder of ['d/0', 'd/2']) expect(existsSync(inBackup(backup, folder))).toBe(true);
      await restore({ ...env, DATA_DIR: path('new') });
      const copy = await openStoreOf(path('new'));
      try {
        const folders = await copy.client.db('colloquy').collection('archives').distinct('contents.folder');
        expect(folders.sort()).toEqual(['a/1', 'b/1', 'c/1', 'd/0', 'd/2']);
        for (const folder of folders as string[]) expect(existsSync(restoredFile(folder))).toBe(true);
      } finally {
        await copy.close();
      }
    });

    it.each([
      ['missing', () => rm(archive('b/1'))],
      ['truncated', () => truncate(archive('b/1'), 1000)],
    ])('is refused while a file is %s, unless archives are in S3', async (_how, damage) => {
      await damage();
      const copies = jest.spyOn(EmbeddedMongo, 'copy');
      await expect(backUp(env)).rejects.toThrow(/refers to the archive b\/1.*earlier backup/);
      expect(copies).toHaveBeenCalledTimes(3);
      expect(await readdir(path('backups'))).toEqual([]);
      await expect(backUp({ ...env, ARCHIVE_S3_BUCKET: 'archives' })).resolves.toMatchObject({
        verified: true,
      });
    });

    it('is not verified without a file to which its database refers', async () => {
      const { path: backup } = await backUp(env, { verify: false });
      const keys = BackupKeys.fromSetting(undefined);
      const manifest = await readManifest(backup, keys);
      const verify = (files: Manifest['files']): Promise<void> =>
        verifyBackup(
          backup,
          { ...manifest, files },
          {
            keys,
            signal: new AbortController().signal,
            scratch: path(`scratch-${files.length}`),
            hasArchives: true,
            onIndexError: () => undefined,
          },
        );
      await verify(manifest.files);
      const others = manifest.files.filter(({ source }) => source?.path !== `b/1/${FILE}`);
      await expect(verify(others)).rejects.toThrow(/does not contain the archive b\/1/);
    });

    it('copies a file again that is damaged in the backup before, or has another key', async () => {
      env['BACKUP_KEY'] = newBackupKey();
      const first = await backUp(env);
      expect((await backUp(env, { rotate: false })).linkedArchives).toBe(3);
      await flipByte(`${inBackup(first.path, 'c/1')}.enc`, 60);
      expect((await backUp(env, { rotate: false })).linkedArchives).toBe(2);
      env['BACKUP_KEY'] = `${newBackupKey()},${env['BACKUP_KEY']}`;
      expect((await backUp(env, { rotate: false })).linkedArchives).toBe(0);
      await restore({ ...env, DATA_DIR: path('new') });
      expect(await readFile(restoredFile('c/1'))).toEqual(await readFile(archive('c/1')));
    });

    it('keeps equal files of an ARCHIVE_DIR that was not lost, and refuses others', async () => {
      env['ARCHIVE_DIR'] = path('kept');
      await rename(path('data', 'archives'), path('kept'));
      await backUp(env);
      await rm(path('kept', 'c', '1', FILE));
      expect(await restore({ ...env, DATA_DIR: path('new') })).toMatchObject({ archives: 1 });
      await writeFile(path('kept', 'c', '1', FILE), 'another');
      await expect(restore({ ...env, DATA_DIR: path('newer') })).rejects.toThrow(/exists with other content/);
      expect(existsSync(path('newer', 'store'))).toBe(false);
    });
  });

  describe('in a directory with other things', () => {
    it('replaces what a killed backup has left, and nothing else', async () => {
      const left = path('backups', '.in-progress');
      await mkdir(join(left, 'backup'), { recursive: true });
      await writeFile(join(left, 'owner.json'), JSON.stringify({ host: 'elsewhere', pid: 1 }));
      await utimes(join(left, 'owner.json'), new Date(0), new Date(0));
      await mkdir(path('backups', '.removed-0123456789ab'));
      await mkdir(path('backups', '2020-01-01T00-00-00.000Z'));
      await writeFile(path('backups', 'notes.txt'), '');
      const { path: backup } = await backUp({ ...env, BACKUP_KEEP_DAILY: '1', BACKUP_KEEP_WEEKLY: '0' });
      expect((await readdir(path('backups'))).sort()).toEqual(
        ['2020-01-01T00-00-00.000Z', 'notes.txt', backup.slice(path('backups').length + 1)].sort(),
      );
    });

    it('is refused while another process makes one', async () => {
      const left = path('backups', '.in-progress');
      await mkdir(left, { recursive: true });
      await writeFile(join(left, 'owner.json'), JSON.stringify({ host: hostname(), pid: process.ppid }));
      await expect(backUp(env)).rejects.toThrow(
        `A backup in ${path('backups')} is running: process ${process.ppid}`,
      );
      expect(await readdir(left)).toEqual(['owner.json']);
    });

    it('deletes old backups by the rules, but none that is damaged', async () => {
      const rules = { ...env, BACKUP_KEEP_DAILY: '1', BACKUP_KEEP_WEEKLY: '0' };
      const damaged = await backUp(env, { rotate: false });
      await truncate(join(damaged.path, 'store', 'data.mdb.gz'), 10);
      const [a, b] = [await backUp(env, { rotate: false }), await backUp(env, { rotate: false })];
      const unverified = await backUp(rules, { verify: false });
      expect(unverified.removed).toEqual([a.path.slice(path('backups').length + 1)]);
      const last = await backUp(rules);
      expect(last.removed.sort()).toEqual(
        [b, unverified].map(({ path: dir }) => dir.slice(path('backups').length + 1)).sort(),
      );
      expect(backupsIn(path('backups')).map((name) => path('backups', name))).toEqual([
        damaged.path,
        last.path,
      ]);
    });
  });

  it('is refused in the directory of the archives', async () => {
    await expect(backUp({ ...env, ARCHIVE_DIR: folder.path })).rejects.toThrow(
      /in the directory of the archives/,
    );
  });

  it('says what to set if there is no store', async () => {
    await expect(backUp({ DATA_DIR: path('nothing') })).rejects.toThrow(
      /There is no embedded store in .*Set DATA_DIR/,
    );
    await expect(restore({ DATA_DIR: path('new') }, path('nothing'))).rejects.toThrow(
      'There is no whole backup',
    );
  });
});

describe('a damaged backup', () => {
  const key = newBackupKey();
  const dataFile = (dir: string): string => join(dir, 'store', 'data.mdb.gz.enc');
  let made: Awaited<ReturnType<typeof createBackupFolder>>;
  let whole: string;

  beforeAll(async () => {
    made = await createBackupFolder();
    const store = await openStoreOf(join(made.path, 'data'));
    await store.client.db('colloquy').collection('messages').insertMany([everyType(), everyType()]);
    await store.close();
    const settings = loadSettings({ DATA_DIR: join(made.path, 'data'), BACKUP_KEY: key });
    const signal = new AbortController().signal;
    const outDir = join(made.path, 'backups');
    whole = (await new BackupService(settings, logger).run({ outDir, signal })).path;
  });
  afterAll(() => made.remove());

  const damages: [string, (dir: string) => Promise<void>, RegExp, Record<string, string>][] = [
    ['an altered file', (dir) => flipByte(dataFile(dir), 1000), /damaged: it was altered.*another/, {}],
    ['a truncated file', (dir) => truncate(dataFile(dir), 5000), /damaged: it has 5000 bytes instead of/, {}],
    ['a longer file', (dir) => appendFile(dataFile(dir), 'x'), /damaged: it has \d+ bytes instead of/, {}],
    ['a missing file', (dir) => rm(dataFile(dir)), /damaged: it is missing/, {}],
    ['no manifest', (dir) => rm(join(dir, 'manifest.json')), /There is no whole backup/, {}],
    [
      'a seal that needs no key',
      (dir) => changeManifest(dir, { seal: { value: '0'.repeat(64) } }),
      /manifest.json is damaged/,
      {},
    ],
    ['a cut manifest', (dir) => truncate(join(dir, 'manifest.json'), 300), /manifest.json is damaged/, {}],
    [
      'an altered manifest',
      (dir) => changeManifest(dir, { createdAt: '2020-01-01T00:00:00.000Z' }),
      /damaged \(it was altered\)/,
      {},
    ],
    [
      'a manifest of a newer format',
      (dir) => changeManifest(dir, { formatVersion: 2 }),
      /has format version 2, .*Restore it with the version that made it/,
      {},
    ],
    [
      'another manifest',
      (dir) => changeManifest(dir, { format: 'other' }),
      /not the manifest of a backup/,
      {},
    ],
    ['no key', () => Promise.resolve(), /BACKUP_KEY is not set\. Set BACKUP_KEY/, { BACKUP_KEY: '' }],
    [
      'a wrong key',
      () => Promise.resolve(),
      /which is not in BACKUP_KEY\. Add that key/,
      { BACKUP_KEY: newBackupKey() },
    ],
  ];

  it.each(damages)(
    'with %s is refused, and the target is not touched',
    async (_what, damage, message, more) => {
      const backup = path('copy');
      await cp(whole, backup, { recursive: true });
      await damage(backup);
      const env = { BACKUP_KEY: key, DATA_DIR: path('new'), ...more };
      await expect(restore(env, backup)).rejects.toThrow(message);
      expect(existsSync(path('new'))).toBe(false);
    },
  );

  it('would be restored without the damage', async () => {
    await cp(whole, path('copy'), { recursive: true });
    const report = await restore({ BACKUP_KEY: key, DATA_DIR: path('new') }, path('copy'));
    expect(report.rows).toBe(2);
  });
});

describe('a backup of MongoDB', () => {
  let source: TestDatabase;
  let target: TestDatabase;
  let client: mongo.MongoClient;
  let env: Record<string, string>;

  beforeEach(async () => {
    [source, target] = [createTestDatabase(), createTestDatabase()];
    client = new mongo.MongoClient(source.uri);
    env = { MONGODB_URI: source.uri, DATA_DIR: path('data') };
    await fill(client.db(source.name), new Date());
  });
  afterEach(async () => {
    await client.close();
    await source.drop();
    await target.drop();
  });

  it('has every byte of every document, all options and indexes', async () => {
    const report = await backUp({ ...env, BACKUP_KEY: newBackupKey() });
    expect(report).toMatchObject({ kind: 'mongodb', rows: 3025, collections: 4, verified: true });
    expect(await readdir(join(report.path, 'collections'))).toEqual(
      ['empty', 'large', 'messages', 'sessions'].map((name) => `${name}.bson.gz.enc`),
    );
  });

  it('contains the archive files to which its dump refers, and no others', async () => {
    for (const folder of ['a/1', 'a/2']) {
      await mkdir(path('data', 'archives', folder), { recursive: true });
      await writeFile(path('data', 'archives', folder, 'rows.ndjson.gz'), 'rows');
    }
    const archives = client.db(source.name).collection('archives');
    await archives.insertMany([{ state: 'writing' }, { contents: { folder: 'a/2', bytes: 4 } }]);
    const { path: backup } = await backUp(env);
    expect(await readdir(join(backup, 'archives', 'a', '2'))).toEqual(['rows.ndjson.gz']);
    expect(existsSync(join(backup, 'archives', 'a', '1', 'rows.ndjson.gz'))).toBe(false);
    await rm(path('data', 'archives'), { recursive: true });
    await expect(backUp(env)).rejects.toThrow(/refers to the archive a\/2/);
  });

  it('is restored into an empty database', async () => {
    await backUp(env);
    await markBackups(path('backups'), { tenantId: 't', participantHash: 'p', erasedAt: new Date() });
    const report = await restore({ ...env, MONGODB_URI: target.uri });
    expect(report).toMatchObject({ target: target.name, rows: 3025, erasures: 1 });
    const [from, to] = [client.db(source.name), client.db(target.name)];
    expect(await rawContents(to, ['participant_erasures'])).toEqual(await rawContents(from));
    expect(await indexesOf(to)).toEqual(await indexesOf(from));
    await expect(to.collection('messages').insertOne({ text: 'refused' })).rejects.toThrow('validation');
    await expect(restore({ ...env, MONGODB_URI: target.uri })).rejects.toThrow(/is not empty: it contains/);
  });

  it('can be restored into an empty DATA_DIR', async () => {
    await backUp(env);
    await restore({ DATA_DIR: path('embedded') });
    const copy = await openStoreOf(path('embedded'));
    try {
      expect(await rawContents(copy.client.db('colloquy'))).toEqual(
        await rawContents(client.db(source.name)),
      );
    } finally {
      await copy.close();
    }
  });

  it('is one point in time, while writes go on', async () => {
    const pairs = ['first', 'second'].map((name) => client.db(source.name).collection(name));
    let stop = false;
    let written = 0;
    const write = async (): Promise<void> => {
      while (!stop) {
        const n = written + 1;
        await client.withSession((session) =>
          session.withTransaction(async () => {
            for (const collection of pairs) await collection.insertOne({ n }, { session });
          }),
        );
        written = n;
      }
    };
    const writing = write();
    await untilAbove(() => written, 3);
    const acknowledged = written;
    await backUp(env);
    stop = true;
    await writing;
    await restore({ ...env, MONGODB_URI: target.uri });
    const [first, second] = await Promise.all(
      ['first', 'second'].map((name) => target.collection(name).distinct('n')),
    );
    expect(first).toEqual(second);
    expect(first?.length).toBeGreaterThanOrEqual(acknowledged);
    expect(first).toHaveLength(Math.max(...(first as number[])));
  });

  it('restores again into a database that an interrupted restore has left, on which no service starts', async () => {
    await backUp(env);
    await mark(null);
    await target.collection('messages').insertOne({ left: 'over' });
    await expect(createTestApp({}, { database: target })).rejects.toThrow(
      /restore was interrupted.*npm run restore/,
    );
    await expect(backUp({ ...env, MONGODB_URI: target.uri })).rejects.toThrow(
      /incomplete. Finish the restore/,
    );
    await restore({ ...env, MONGODB_URI: target.uri });
    expect(await rawContents(client.db(target.name))).toEqual(await rawContents(client.db(source.name)));
  });

  /** Leaves the marker of a restore of another machine. */
  const mark = async (seenAt: Date | null): Promise<void> => {
    const owner = { id: 'other', host: 'other', pid: 7 };
    await target
      .collection<{ _id: string; owner: object; seenAt: Date | null }>('restore_in_progress')
      .insertOne({
        _id: 'restore',
        owner,
        seenAt,
      });
  };

  it('is not restored into a database into which another restore is at work', async () => {
    await backUp(env);
    const others = [0, 1].map(() => restore({ ...env, MONGODB_URI: target.uri }));
    const ends = await Promise.allSettled(others);
    expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await rawContents(client.db(target.name))).toEqual(await rawContents(client.db(source.name)));
    await client.db(target.name).dropDatabase();

    await mark(new Date());
    await target.collection('messages').insertOne({ of: 'the other' });
    await expect(restore({ ...env, MONGODB_URI: target.uri })).rejects.toThrow(
      /is running: process 7 on other\. Wait until it has ended/,
    );
    expect(await target.collection('messages').countDocuments()).toBe(1);
  });

  it('is restored in place of one that has not been seen for two minutes', async () => {
    await backUp(env);
    await mark(new Date(Date.now() - 150_000));
    await target.collection('messages').insertOne({ left: 'over' });
    await restore({ ...env, MONGODB_URI: target.uri });
    expect(await rawContents(client.db(target.name))).toEqual(await rawContents(client.db(source.name)));
  });

  it('that fails while it is restored can be restored again at once', async () => {
    const { path: backup } = await backUp(env);
    const controller = new AbortController();
    const loading = stopOnceBegun(target, controller);
    const options = { from: backup, signal: controller.signal };
    const settings = loadSettings({ ...env, MONGODB_URI: target.uri });
    await expect(restoreBackup(settings, logger, options)).rejects.toThrow('stopped');
    await loading;
    await restore({ ...env, MONGODB_URI: target.uri });
    expect(await rawContents(client.db(target.name))).toEqual(await rawContents(client.db(source.name)));
  });

  it('does not restore a backup of the embedded store into a server', async () => {
    const store = await openStoreOf(path('data'));
    await backUp({ DATA_DIR: path('data') });
    await store.close();
    await expect(restore({ ...env, MONGODB_URI: target.uri })).rejects.toThrow(/Unset MONGODB_URI/);
    expect(await target.collectionNames()).toEqual([]);
  });
});

async function untilAbove(value: () => number, limit: number): Promise<void> {
  while (value() <= limit) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** Aborts a restore once it has begun to fill the database. */
async function stopOnceBegun(target: TestDatabase, controller: AbortController): Promise<void> {
  while (!(await target.collectionNames()).includes('restore_in_progress'));
  controller.abort(new Error('stopped'));
}
