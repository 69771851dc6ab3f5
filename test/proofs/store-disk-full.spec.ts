import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { MongoClient, MongoServerError } from 'mongodb';
import { StoreProcess } from './store/store-process.js';

const SIZE_MB = 24;
const BALLAST_BYTES = 8 * 1024 * 1024;
const TEXT = 'x'.repeat(50_000);

/** The process of this suite runs the build in `dist`, which `npm test` creates first. */
const main = resolve(
  process.env['COLLOQUY_TEST_DIST'] ?? 'dist',
  'test',
  'proofs',
  'store',
  'store-child.js',
);

const folder = mkdtempSync(join(tmpdir(), 'embedded-mongo-full-'));

/** Whether a small file system could be mounted for this suite, which requires root on Linux. */
const mounted = ((): boolean => {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE_MB}m`, 'tmpfs', folder], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

afterAll(() => {
  if (mounted) execFileSync('umount', ['-l', folder]);
  rmSync(folder, { recursive: true, force: true });
});

(mounted ? describe : describe.skip)('a full disk', () => {
  const dir = join(folder, 'store');
  const ballast = join(folder, 'ballast');
  let store: StoreProcess;
  let client: MongoClient;

  beforeAll(async () => {
    mkdirSync(dir);
    store = await StoreProcess.start(main, dir);
    client = await MongoClient.connect(store.uri);
  });
  afterAll(async () => {
    await client.close();
    await store.kill();
  });

  const documents = () =>
    client.db('full').collection<{ _id: string; n?: number; text?: string }>('documents');
  const idsOf = async (): Promise<string[]> =>
    (
      await documents()
        .find({}, { projection: { _id: 1 }, sort: { _id: 1 } })
        .toArray()
    ).map(({ _id }) => _id);

  it('is reported to clients as OutOfDiskSpace; no acknowledged write is lost, and writes succeed again when space is freed', async () => {
    writeFileSync(ballast, Buffer.alloc(BALLAST_BYTES, 1));
    await documents().createIndex({ n: 1 });
    const acked: string[] = [];
    const fill = async (writer: string): Promise<MongoServerError> => {
      for (let n = 0; ; n++) {
        const _id = `${writer}${String(n).padStart(4, '0')}`;
        try {
          await documents().insertOne({ _id, n, text: TEXT });
          acked.push(_id);
        } catch (error) {
          if (error instanceof MongoServerError) return error;
          throw error;
        }
      }
    };
    const refusals = await Promise.all(['a', 'b', 'c'].map(fill));
    expect(refusals.map(({ code }) => code)).toEqual([14031, 14031, 14031]);
    expect(acked.length).toBeGreaterThan(10);
    expect(await idsOf()).toEqual([...acked].sort());

    const session = client.startSession();
    session.startTransaction();
    const inTransaction = Array.from({ length: 60 }, (_, n) => ({ _id: `t${n}`, text: TEXT }));
    await documents().insertMany(inTransaction, { session });
    await expect(session.commitTransaction()).rejects.toMatchObject({
      code: 14031,
      codeName: 'OutOfDiskSpace',
    });
    await session.endSession();
    expect(await idsOf()).toEqual([...acked].sort());

    rmSync(ballast);
    await documents().insertOne({ _id: 'd', n: 1, text: TEXT });
    await client.withSession((again) =>
      again.withTransaction(async () => {
        await documents().insertOne({ _id: 'e' }, { session: again });
      }),
    );
    const all = [...acked, 'd', 'e'].sort();
    expect(await idsOf()).toEqual(all);
    expect(await client.db('full').command({ validate: 'documents' })).toMatchObject({
      valid: true,
      errors: [],
    });

    await store.kill();
    await store.open();
    expect(await idsOf()).toEqual(all);
    expect(await client.db('full').command({ validate: 'documents' })).toMatchObject({
      valid: true,
      errors: [],
    });
  });
});
