import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { mongo } from 'mongoose';
import { ArchiveRunService } from '../../src/archive/index.js';
import { createTestApp, type TestApp, type TestTenant } from '../support/app.js';

const { signal } = new AbortController();

let directory: string;
let app: TestApp;
let tenant: TestTenant;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'archives-'));
  app = await createTestApp({ ARCHIVE_DIR: directory, ARCHIVE_SCHEDULE: 'off' });
});
beforeEach(async () => {
  tenant = await app.createTenant();
});
afterAll(async () => {
  await app.close();
  rmSync(directory, { recursive: true, force: true });
});

const say = (participantId: string): Promise<{ status: number }> =>
  tenant.request('POST', '/v1/messages', {
    participantId,
    channel: 'web',
    content: `This is ${participantId}.`,
    externalId: `ext-${participantId}`,
  });

const run = async (): Promise<void> => {
  const request = { tenantId: tenant.tenantId, olderThanDays: 0, dryRun: false };
  await app.app.get(ArchiveRunService).run(request, { signal });
};

/** Stores a message of each participant, and archives them. */
async function archive(...participantIds: string[]): Promise<void> {
  for (const id of participantIds) expect(await say(id)).toMatchObject({ status: 201 });
  await run();
}

interface Receipt {
  removed: Record<string, number>;
  remaining: Record<string, number>;
}

const erase = (participantId: string): Promise<{ status: number; body: Receipt }> =>
  tenant.request<Receipt>('DELETE', `/v1/participants/${participantId}`);

const archives = (): mongo.Collection => app.database.collection('archives');

const record = async (): Promise<mongo.WithId<mongo.Document>> => {
  const found = await archives().findOne({ tenantId: tenant.tenantId, kind: 'conversations' });
  if (!found) throw new Error('nothing was archived');
  return found;
};

/** The contents of all archive files of the tenant. */
async function filesOf(): Promise<string> {
  const rows = await archives().find({ tenantId: tenant.tenantId }).toArray();
  const ids = new Set(rows.map(({ _id }) => String(_id)));
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.gz') && ids.has(name.split('/')[0] ?? ''))
    .map((name) => gunzipSync(readFileSync(join(directory, name))).toString())
    .join('');
}

/** Writes a file that a killed process may have left in the folder of an archive, and returns its path. */
function leave(archiveId: mongo.ObjectId): string {
  const folder = join(directory, archiveId.toHexString(), new mongo.ObjectId().toHexString());
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'rows.ndjson.gz');
  writeFileSync(path, 'This is ana.');
  return path;
}

const exists = (path: string): boolean =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' }).some((name) => path.endsWith(name));

const clean = { status: 200, body: { remaining: { archivedRoots: 0 } } };

it('finishes an archive whose old file a killed process has not deleted yet', async () => {
  await archive('ana', 'bob');
  const { _id } = await record();
  await archives().updateOne({ _id }, { $set: { state: 'cleaning' } });
  const path = leave(_id);
  expect(await erase('ana')).toMatchObject({ ...clean, body: { removed: { archivedRoots: 1 } } });
  expect(exists(path)).toBe(false);
  expect(await filesOf()).not.toContain('ana');
  expect(await filesOf()).toContain('This is bob.');
});

it('discards an archive that a killed process was writing', async () => {
  await say('ana');
  const _id = new mongo.ObjectId();
  await archives().insertOne({
    ...{ _id, tenantId: tenant.tenantId, kind: 'conversations', state: 'writing' },
    ...{ participants: ['*'], released: 0, changed: [], createdAt: new Date() },
  });
  const path = leave(_id);
  expect(await erase('ana')).toMatchObject(clean);
  expect(exists(path)).toBe(false);
  expect(await archives().countDocuments({ _id })).toBe(0);
});

it('finishes an archive that a killed process was releasing', async () => {
  await archive('ana', 'bob');
  const { _id } = await record();
  await archives().updateOne({ _id }, { $set: { state: 'releasing' } });
  expect(await erase('ana')).toMatchObject({ ...clean, body: { removed: { archivedRoots: 1 } } });
  expect(await record()).toMatchObject({ state: 'stored', contents: { count: 1 } });
  expect(await filesOf()).not.toContain('ana');
});

it('finds archived jobs that name the participant anywhere', async () => {
  const at = new Date(0);
  const job = {
    ...{ tenantId: tenant.tenantId, queue: 'old', state: 'completed', priority: 5, dueAt: at, attempts: 1 },
    ...{ progress: 100, failures: [], createdAt: at, updatedAt: at },
  };
  await app.database.collection('jobs').insertMany([
    { ...job, payload: { customer: { id: 'ana' } } },
    { ...job, payload: {}, dedupeKey: 'reminder:ana:7' },
    { ...job, payload: { customer: { id: 'bob' } } },
  ]);
  await run();
  const exported = await tenant.request('GET', '/v1/participants/ana/export');
  expect(JSON.stringify(exported.body)).toContain('reminder:ana:7');
  expect(await erase('ana')).toMatchObject({ ...clean, body: { removed: { archivedRoots: 2 } } });
  expect(await filesOf()).not.toContain('ana');
  expect(await filesOf()).toContain('bob');
});

it('erases several participants of one archive at the same time', async () => {
  await archive('ana', 'bob', 'cleo', 'dora');
  const receipts = await Promise.all(['ana', 'bob', 'cleo'].map((id) => erase(id)));
  for (const receipt of receipts)
    expect(receipt).toMatchObject({ ...clean, body: { removed: { archivedRoots: 1 } } });
  expect(await filesOf()).not.toMatch(/ana|bob|cleo/);
  expect(await filesOf()).toContain('This is dora.');
});

it('refuses an archived message that is sent again after the erasure', async () => {
  await archive('ana');
  expect(await erase('ana')).toMatchObject(clean);
  expect(await say('ana')).toMatchObject({ status: 410 });
});

it('erases everything else if a file of an archive is missing, and says that it is not finished', async () => {
  await archive('ana');
  await say('ana-later');
  await app.database
    .collection('conversations')
    .updateMany({ tenantId: tenant.tenantId }, { $set: { participantId: 'ana' } });
  const { contents } = (await record()) as mongo.WithId<{ contents: { folder: string } }>;
  rmSync(join(directory, contents.folder), { recursive: true });
  expect(await erase('ana')).toMatchObject({ status: 503, body: { code: 'erasure_unfinished' } });
  const participantId = 'ana';
  expect(
    await app.database
      .collection('conversations')
      .countDocuments({ tenantId: tenant.tenantId, participantId }),
  ).toBe(0);
});
