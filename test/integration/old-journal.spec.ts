import { cp, mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { Types } from 'mongoose';
import { DatabaseService } from '../../src/database/index.js';
import { OldJournalImport } from '../../src/transcript/index.js';
import { oldJournalOf } from '../../src/transcript/old-journal/old-journal-import.js';
import { createTestApp, type TestApp } from '../support/app.js';
import { createDataDir } from '../support/data-dir.js';

/**
 * The folder of a killed process of an earlier version, written by the journal of that version. Of its
 * transcripts 1 to 14, the first five were stored, and 9 is the replay of a dead letter. The process was
 * taking over transcripts 15 to 18 of another process.
 */
const FIXTURE = join(__dirname, '..', 'support', 'old-journal');
const FOLDER = '11111111-1111-4111-8111-111111111111';

const idOf = (n: number): string => `6500000000000000000000${String(n).padStart(2, '0')}`;
const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, n) => from + n);

describe('a journal of an earlier version', () => {
  let app: TestApp;
  let data: ReturnType<typeof createDataDir>;
  let root: string;

  const rows = () => app.database.collection('transcripts');
  const importer = () => app.app.get(OldJournalImport);
  const storedIds = async (): Promise<string[]> =>
    (await rows().find({}).sort({ _id: 1 }).toArray()).map(({ _id }) => _id.toHexString());

  beforeEach(async () => {
    data = createDataDir();
    app = await createTestApp({ DATA_DIR: data.dataDir, WORKERS: 'off' });
    root = join(data.dataDir, 'journal', oldJournalOf(app.app.get(DatabaseService).stats()));
    await mkdir(root, { recursive: true });
    await cp(FIXTURE, root, { recursive: true });
  });
  afterEach(async () => {
    await app.close();
    data.removeDataDir();
  });

  it('is queued as accepted, without transcripts that were stored or deleted or already exist, and is then removed', async () => {
    await rows().insertOne({ _id: new Types.ObjectId(idOf(9)), tenantId: 'acme', status: 'failed' });
    await rows().insertOne({ _id: new Types.ObjectId(idOf(10)), tenantId: 'acme', status: 'stored' });
    await app.database.collection('transcript_tombstones').insertOne({
      tenantId: 'acme',
      transcriptId: new Types.ObjectId(idOf(11)),
      changeSeq: 1,
      at: new Date(),
    });

    expect(await importer().run()).toEqual({
      folders: 1,
      records: 13,
      queued: 10,
      replayed: 1,
      unreadableBytes: 0,
      left: 0,
    });
    expect(await storedIds()).toEqual(
      numbers(6, 18)
        .filter((n) => n !== 11)
        .map(idOf),
    );
    expect(await rows().findOne({ _id: new Types.ObjectId(idOf(7)) })).toEqual({
      _id: new Types.ObjectId(idOf(7)),
      tenantId: 'acme',
      participantId: 'ana',
      channel: 'web',
      transcript: expect.stringContaining('Transcript number 7: a table for 7 was booked.') as string,
      metadata: { n: 7, nested: { list: [1, 'two', null] } },
      externalId: 'talk-7',
      status: 'queued',
      createdAt: new Date('2026-01-07T00:00:00Z'),
      queuedAt: new Date('2026-01-07T00:00:00Z'),
      claimedUntil: new Date(0),
      attempts: 0,
      isNamed: true,
    });
    expect(await rows().findOne({ _id: new Types.ObjectId(idOf(8)) })).toMatchObject({
      tenantId: 'shop',
      summary: 'A table for 8',
    });
    expect(await rows().findOne({ _id: new Types.ObjectId(idOf(9)) })).toMatchObject({ status: 'queued' });
    expect(await rows().findOne({ _id: new Types.ObjectId(idOf(10)) })).toMatchObject({ status: 'stored' });
    expect(await readdir(data.dataDir)).not.toContain('journal');
    expect(await importer().run()).toMatchObject({ folders: 0, records: 0, left: 0 });
  });

  it('is queued once when an import was interrupted before the folder was removed, or runs twice', async () => {
    await importer().run();
    await cp(FIXTURE, root, { recursive: true });
    expect(await importer().run()).toMatchObject({ folders: 1, records: 13, queued: 0 });
    await cp(FIXTURE, root, { recursive: true });
    await rows().deleteMany({});
    const reports = await Promise.all([importer().run(), importer().run()]);
    expect(reports[0].queued + reports[1].queued).toBe(12);
    expect(await storedIds()).toHaveLength(12);
  });

  it('is left unchanged while the process that writes it is running', async () => {
    let server: Server | undefined;
    try {
      server = createServer((socket) => socket.destroy());
      await new Promise<void>((resolve) => server?.listen(join(root, FOLDER, 'alive'), resolve));
      expect(await importer().run()).toMatchObject({ folders: 0, records: 0, left: 1 });
    } finally {
      await new Promise((resolve) => server?.close(resolve));
    }
    expect(await importer().run()).toMatchObject({ folders: 1, records: 13 });
  });

  it('is treated as that of a running process if its pid exists and its boot id is current', async () => {
    const mark = {
      pid: process.pid,
      bootId: (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim(),
    };
    await writeFile(join(root, FOLDER, 'owner.json'), JSON.stringify(mark));
    expect(await importer().run()).toMatchObject({ folders: 0, left: 1 });
  });

  it('is kept when part of it cannot be read, and the rest is queued', async () => {
    const [, second = ''] = (await readdir(join(root, FOLDER)))
      .filter((name) => name.endsWith('.seg'))
      .sort();
    const path = join(root, FOLDER, second);
    const bytes = await readFile(path);
    bytes.write('damage', bytes.indexOf('Transcript number'));
    await writeFile(path, bytes);
    const report = await importer().run();
    expect(report).toMatchObject({ folders: 1, records: 12, queued: 11 });
    expect(report.unreadableBytes).toBeGreaterThan(400);
    expect(await readdir(root)).toEqual([`${FOLDER}.unreadable`]);
    expect(await importer().run()).toMatchObject({ folders: 0 });
  });

  it('loses no intact record before an incomplete end', async () => {
    const nested = join(root, FOLDER, 'adopting-22222222-2222-4222-8222-222222222222');
    const last =
      (await readdir(nested))
        .filter((name) => name.endsWith('.seg'))
        .sort()
        .at(-1) ?? '';
    await truncate(join(nested, last), 400);
    const report = await importer().run();
    expect(report).toMatchObject({ records: 12, unreadableBytes: 400 });
  });
});
