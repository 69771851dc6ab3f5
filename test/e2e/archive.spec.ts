import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { mongo } from 'mongoose';
import {
  ARCHIVE_STORE,
  ArchiveRunService,
  ParticipantEraser,
  ParticipantHashes,
  type ArchiveStore,
  type RestoreReport,
  type RunRecord,
} from '../../src/archive/index.js';
import { DirectoryArchiveStore } from '../../src/archive/directory-archive-store.js';
import { createTestApp, type TestApp, type TestTenant } from '../support/app.js';
import { eventually } from '../support/eventually.js';

/** A directory store in which operations can fail, or be preceded by something. */
class InterruptedStore implements ArchiveStore {
  private readonly inner: DirectoryArchiveStore;
  /** Called before each operation. */
  before: (operation: string, name: string) => Promise<void> | void = () => undefined;

  constructor(readonly location: string) {
    this.inner = new DirectoryArchiveStore(location);
  }

  async write(name: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    await this.before(`write ${name.split('/').at(-1) ?? ''}`, name);
    await this.inner.write(name, content);
    await this.before(`written ${name.split('/').at(-1) ?? ''}`, name);
  }

  async *read(name: string): AsyncGenerator<Uint8Array> {
    await this.before('read', name);
    yield* this.inner.read(name);
  }

  list(prefix: string): AsyncIterable<string> {
    return this.inner.list(prefix);
  }

  async delete(name: string): Promise<void> {
    await this.before('delete', name);
    await this.inner.delete(name);
  }
}

interface ArchiveView {
  id: string;
  kind: string;
  state: string;
  count: number;
  rows: Record<string, number>;
  bytes: number;
  sha256: string;
  from: string;
  to: string;
  restoredAt: string | null;
}

interface JobView<Result> {
  state: string;
  result: Result;
  error: { message: string } | null;
}

let app: TestApp;
let store: InterruptedStore;
let tenant: TestTenant;

beforeAll(async () => {
  store = new InterruptedStore(mkdtempSync(join(tmpdir(), 'archives-')));
  app = await createTestApp(
    { TRANSCRIPT_BATCH_TIMEOUT_MS: '20', ARCHIVE_MAX_ROWS: '20', ARCHIVE_SCHEDULE: 'off' },
    { replace: [[ARCHIVE_STORE, store]], workers: true },
  );
});
beforeEach(async () => {
  tenant = await app.createTenant();
});
afterEach(() => {
  store.before = () => undefined;
});
afterAll(async () => {
  await app.close();
  rmSync(store.location, { recursive: true, force: true });
});

/** Stores conversations with the given numbers of messages, and returns their ids. */
async function converse(...lengths: number[]): Promise<string[]> {
  const ids: string[] = [];
  for (const [at, length] of lengths.entries()) {
    const { status, body } = await tenant.request<{ id: string }>('POST', '/v1/conversations', {
      participantId: `p${at}`,
      channel: 'web',
      metadata: { whole: 1, half: 0.5, big: 12345678901, b: 1, 7: 2 },
    });
    expect(status).toBe(201);
    for (let begin = 0; begin < length; begin += 100)
      await tenant.request('POST', `/v1/conversations/${body.id}/messages`, {
        messages: Array.from({ length: Math.min(100, length - begin) }, (_, index) => ({
          role: 'user',
          content: `message ${begin + index} of ${at}`,
          externalId: `ext-${begin + index}`,
        })),
      });
    ids.push(body.id);
  }
  return ids;
}

/** All documents of the tenant in the collection, as the bytes in which they are stored. */
async function stored(collection: string): Promise<string[]> {
  const rows = await app.database
    .collection(collection)
    .find({ tenantId: tenant.tenantId }, { raw: true, sort: { _id: 1 } })
    .toArray();
  return (rows as unknown as Buffer[]).map((bytes) => bytes.toString('base64'));
}

async function job<Result>(path: string, body?: object): Promise<JobView<Result>> {
  const started = await app.request<{ jobId: string; queue: string }>('POST', path, body);
  expect(started).toMatchObject({ status: 202 });
  const { jobId, queue } = started.body;
  let view: JobView<Result> | undefined;
  await eventually(async () => {
    ({ body: view } = await app.request<JobView<Result>>('GET', `/v1/queues/${queue}/jobs/${jobId}`));
    return ['completed', 'failed'].includes(view.state);
  });
  if (!view) throw new Error('no job');
  return view;
}

interface RunTotals {
  id: string;
  totals: RunRecord['totals'];
}

const run = async (body: object = {}): Promise<RunTotals> => {
  const { state, result, error } = await job<RunTotals>('/v1/archives/run', {
    tenantId: tenant.tenantId,
    olderThanDays: 0,
    ...body,
  });
  expect({ state, error }).toEqual({ state: 'completed', error: null });
  return result;
};

const archives = async (query = ''): Promise<ArchiveView[]> =>
  (await app.request<{ data: ArchiveView[] }>('GET', `/v1/archives?tenantId=${tenant.tenantId}${query}`)).body
    .data;

const restoreAll = async (): Promise<RestoreReport[]> => {
  const reports: RestoreReport[] = [];
  for (const { id } of await archives())
    reports.push((await job<RestoreReport>(`/v1/archives/${id}/restore`)).result);
  return reports;
};

const linesOf = (): { collection: string; root: string; document?: unknown; bson?: string }[] =>
  readdirSync(store.location, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.gz'))
    .flatMap((name) =>
      gunzipSync(readFileSync(join(store.location, name)))
        .toString()
        .trimEnd()
        .split('\n'),
    )
    .map((line) => JSON.parse(line) as { collection: string; root: string });

it('moves conversations to archives and back, byte for byte', async () => {
  const ids = await converse(3, 17, 8, 0);
  const before = { conversations: await stored('conversations'), messages: await stored('messages') };

  const { id, totals } = await run({ kind: 'conversations' });

  expect(totals).toMatchObject({ archived: 4, rows: 32, changed: 0, kept: 0 });
  const reports = await app.request<{ data: object[] }>('GET', '/v1/archives/runs?limit=1');
  expect(reports.body.data).toMatchObject([
    { id, state: 'completed', results: [{ tenantId: tenant.tenantId, kind: 'conversations', archived: 4 }] },
  ]);
  expect(await stored('conversations')).toEqual([]);
  expect(await stored('messages')).toEqual([]);
  expect((await tenant.request('GET', `/v1/conversations/${String(ids[0])}`)).status).toBe(404);
  const listed = await archives();
  expect(listed.every(({ state, bytes }) => state === 'stored' && bytes > 0)).toBe(true);
  expect(listed.reduce((sum, { count }) => sum + count, 0)).toBe(4);

  const restores = await restoreAll();

  expect(restores.reduce((sum, { restored }) => sum + restored, 0)).toBe(4);
  expect(restores.every(({ conflicting }) => conflicting === 0)).toBe(true);
  expect({ conversations: await stored('conversations'), messages: await stored('messages') }).toEqual(
    before,
  );
  expect((await archives()).every(({ restoredAt }) => restoredAt !== null)).toBe(true);
  const { body } = await tenant.request<{ data: unknown[] }>(
    'GET',
    `/v1/conversations/${String(ids[1])}/messages`,
  );
  expect(body.data).toHaveLength(17);

  const again = await run({ kind: 'conversations' });
  expect(again.totals).toMatchObject({ archived: 0, kept: 4 });
});

it('stores lines that show every type, and the bytes of documents that JSON cannot show exactly', async () => {
  const _id = new mongo.ObjectId();
  const date = new Date('2020-01-02T03:04:05.678Z');
  const values = {
    int: new mongo.Int32(5),
    double: new mongo.Double(5),
    long: mongo.Long.fromNumber(5),
    decimal: mongo.Decimal128.fromString('5.00'),
    date,
    binary: new mongo.Binary(Buffer.from([1, 2, 3])),
  };
  const base = { tenantId: tenant.tenantId, participantId: 'p', channel: 'web', isActive: true };
  const rest = { messageCount: 0, lastSeq: 0, createdAt: date, updatedAt: date };
  const odd = new mongo.ObjectId();
  await app.database.collection('conversations').insertMany([
    { _id, ...base, metadata: values, ...rest },
    { _id: odd, ...base, metadata: { $oid: 'x', order: { b: 1, 1: 2 } }, ...rest },
  ]);
  const before = await stored('conversations');
  await run({ kind: 'conversations' });
  const lines = linesOf();
  const shown = lines.find(({ root }) => root === _id.toHexString());
  expect(shown).toMatchObject({
    collection: 'conversations',
    document: {
      _id: { $oid: _id.toHexString() },
      metadata: {
        int: { $numberInt: '5' },
        double: { $numberDouble: '5.0' },
        long: { $numberLong: '5' },
        decimal: { $numberDecimal: '5.00' },
        date: { $date: { $numberLong: String(date.getTime()) } },
      },
    },
  });
  expect(lines.find(({ root }) => root === odd.toHexString())).toMatchObject({ bson: expect.any(String) });
  await restoreAll();
  expect(await stored('conversations')).toEqual(before);
});

it('counts in a dry run what it would archive, and changes nothing', async () => {
  await converse(2, 3);
  const { totals } = await run({ kind: 'conversations', dryRun: true });
  expect(totals).toMatchObject({ archived: 2, rows: 7, archives: 0, kept: 0 });
  expect(totals.freedBytes).toBeGreaterThan(500);
  expect(await stored('messages')).toHaveLength(5);
  expect(await archives()).toEqual([]);
});

it('leaves what is younger than the retention period of the settings or of the tenant', async () => {
  const [old = '', young = ''] = await converse(1, 1);
  const daysAgo = (days: number): Date => new Date(Date.now() - days * 86_400_000);
  const set = (id: string, updatedAt: Date) =>
    app.database
      .collection('conversations')
      .updateOne({ _id: new mongo.ObjectId(id) }, { $set: { updatedAt } });
  await set(old, daysAgo(100));
  await set(young, daysAgo(80));
  const byPolicy = { kind: 'conversations', olderThanDays: undefined };
  expect((await run(byPolicy)).totals).toMatchObject({ archived: 0, kept: 2 });
  const path = `/v1/tenants/${tenant.tenantId}`;
  const changed = await app.request('PATCH', path, { retention: { conversations: 90 } });
  expect(changed.body['retention']).toEqual({ conversations: 90 });
  expect((await run(byPolicy)).totals).toMatchObject({ archived: 1, kept: 1 });
  await app.request('PATCH', path, { retention: { conversations: 0 } });
  await set(young, daysAgo(5000));
  expect((await run(byPolicy)).totals).toMatchObject({ archived: 0 });
  const reset = await app.request('PATCH', path, { retention: { conversations: null } });
  expect(reset.body['retention']).toEqual({});
  expect((await run(byPolicy)).totals).toMatchObject({ archived: 1, kept: 0 });
});

it('keeps a conversation that gets a message while it is being archived, and removes it from the archive', async () => {
  const [busy = '', quiet = '', gone = ''] = await converse(2, 2, 2);
  store.before = async (operation) => {
    if (operation !== 'written manifest.json') return;
    store.before = () => undefined;
    await tenant.request('POST', `/v1/conversations/${busy}/messages`, {
      messages: [{ role: 'user', content: 'One more' }],
    });
    await tenant.request('DELETE', `/v1/conversations/${gone}`);
  };
  const { totals } = await run({ kind: 'conversations' });
  expect(totals).toMatchObject({ archived: 1, changed: 2, kept: 1 });
  const { body } = await tenant.request<{ data: unknown[] }>('GET', `/v1/conversations/${busy}/messages`);
  expect(body.data).toHaveLength(3);
  expect(await archives()).toMatchObject([{ count: 1, rows: { conversations: 1, messages: 2 } }]);
  const roots = new Set(linesOf().map(({ root }) => root));
  expect([roots.has(busy), roots.has(quiet), roots.has(gone)]).toEqual([false, true, false]);
  const reports = await restoreAll();
  expect(reports).toMatchObject([{ restored: 1, conflicting: 0 }]);
});

it('leaves no file of an archive whose data has all changed or been deleted, also if it was interrupted', async () => {
  const [gone = ''] = await converse(2);
  let isInterrupted = false;
  store.before = async (operation) => {
    if (operation === 'written manifest.json' && !isInterrupted)
      await tenant.request('DELETE', `/v1/conversations/${gone}`);
    // The first deletion is that of the file without rows.
    if (operation === 'delete' && (await archives())[0]?.state === 'writing' && !isInterrupted) {
      isInterrupted = true;
      throw new Error('interrupted');
    }
  };
  const request = { tenantId: tenant.tenantId, kind: 'conversations', olderThanDays: 0, dryRun: false };
  const runs = app.app.get(ArchiveRunService);
  await expect(runs.run(request, { signal: new AbortController().signal })).rejects.toThrow('interrupted');
  store.before = () => undefined;
  const [{ id } = { id: '' }] = await archives();
  await runs.run(request, { signal: new AbortController().signal });
  expect(await archives()).toEqual([]);
  const names = readdirSync(store.location, { recursive: true, encoding: 'utf8' });
  expect(names.filter((name) => name.startsWith(id))).toEqual([]);
});

it('reports what is stored otherwise, and overwrites nothing', async () => {
  const [changed = '', same = ''] = await converse(2, 2);
  await run({ kind: 'conversations' });
  await restoreAll();
  await tenant.request('PATCH', `/v1/conversations/${changed}`, { title: 'New title' });
  const before = await stored('conversations');
  const [report] = await restoreAll();
  expect(report).toMatchObject({ restored: 0, present: 1, conflicting: 1, rows: 0 });
  expect(report?.conflicts).toEqual([
    { id: changed, reason: `conversations ${changed} is stored with other contents` },
  ]);
  expect(await stored('conversations')).toEqual(before);
  expect((await tenant.request('GET', `/v1/conversations/${same}`)).status).toBe(200);
});

it('does not restore a message whose externalId is in use by then', async () => {
  const [id = ''] = await converse(1);
  await run({ kind: 'conversations' });
  const { body } = await tenant.request<{ id: string }>('POST', '/v1/conversations', {
    participantId: 'p0',
    channel: 'web',
  });
  await tenant.request('POST', `/v1/conversations/${body.id}/messages`, {
    messages: [{ role: 'user', content: 'again', externalId: 'ext-0' }],
  });
  const [report] = await restoreAll();
  expect(report).toMatchObject({ restored: 0, conflicting: 1 });
  expect(report?.conflicts[0]).toMatchObject({ id, reason: expect.stringContaining('same externalKey') });
  expect(await stored('messages')).toHaveLength(1);
});

it('archives and restores a conversation that is larger than a transaction', async () => {
  await converse(1250);
  const before = await stored('messages');
  await run({ kind: 'conversations' });
  expect(await stored('messages')).toEqual([]);
  expect(await restoreAll()).toMatchObject([{ restored: 1, rows: 1251 }]);
  expect(await stored('messages')).toEqual(before);
});

it('moves transcripts with their vectors, which can be found again after the restore', async () => {
  const { body } = await tenant.request<{ id: string }>('POST', '/v1/transcripts', {
    participantId: 'ana',
    channel: 'web',
    transcript: 'A table by the window, please',
    externalId: 'call-1',
  });
  const search = async (): Promise<string[]> => {
    const path = '/v1/transcripts/search';
    const found = await tenant.request<{ data: { id: string }[] }>('POST', path, { query: 'window table' });
    return found.body.data.map(({ id }) => id);
  };
  await eventually(async () => (await search()).includes(body.id));
  const { totals } = await run({ kind: 'transcripts' });
  expect(totals).toMatchObject({ archived: 1, rows: 1, kept: 0 });
  expect(await search()).toEqual([]);
  expect((await tenant.request('GET', `/v1/transcripts/${body.id}`)).status).toBe(404);
  expect(await restoreAll()).toMatchObject([{ restored: 1 }]);
  expect(await search()).toEqual([body.id]);
  const repeated = await restoreAll();
  expect(repeated).toMatchObject([{ restored: 0, present: 1, conflicting: 0 }]);
  const stats = await tenant.request('GET', '/v1/transcripts/stats');
  expect(stats.body).toMatchObject({ completed: 1, dead: 0 });
});

it('moves finished jobs', async () => {
  const [id = ''] = await converse(1);
  const closed = await tenant.request<{ job: { id: string; queue: string } }>(
    'POST',
    `/v1/conversations/${id}/close`,
  );
  const path = `/v1/jobs/${closed.body.job.queue}/${closed.body.job.id}`;
  await eventually(async () => (await tenant.request('GET', path)).body['state'] === 'completed');
  const before = (await tenant.request('GET', path)).body;
  // The run itself is a job of the tenant.
  expect((await run({ kind: 'jobs' })).totals).toMatchObject({ archived: 1, kept: 1 });
  expect((await tenant.request('GET', path)).status).toBe(404);
  expect(await restoreAll()).toMatchObject([{ restored: 1 }]);
  expect((await tenant.request('GET', path)).body).toEqual(before);
});

it('keeps a closed conversation until its transcript is stored', async () => {
  const alone = await createTestApp({ WORKERS: 'off', ARCHIVE_SCHEDULE: 'off' });
  try {
    const waiting = await alone.createTenant();
    const { body } = await waiting.request<{ conversation: { id: string } }>('POST', '/v1/messages', {
      participantId: 'ana',
      channel: 'web',
      content: 'Hello',
    });
    await waiting.request('POST', `/v1/conversations/${body.conversation.id}/close`);
    const request = { tenantId: waiting.tenantId, olderThanDays: 0, dryRun: false };
    const { totals } = await alone.app
      .get(ArchiveRunService)
      .run({ ...request, kind: 'conversations' }, { signal: new AbortController().signal });
    expect(totals).toMatchObject({ archived: 0, kept: 1 });
  } finally {
    await alone.close();
  }
});

describe('an interrupted run', () => {
  const interruptAt = (operation: string, times = 1): void => {
    let left = times;
    store.before = (at) => {
      if (at === operation && --left === 0) throw new Error('interrupted');
    };
  };
  const runDirectly = (): Promise<RunRecord> =>
    app.app
      .get(ArchiveRunService)
      .run(
        { tenantId: tenant.tenantId, kind: 'conversations', olderThanDays: 0, dryRun: false },
        { signal: new AbortController().signal },
      );

  // read: 1 is the verification, 2 the release of the first archive, 3 and 4 of the second.
  it.each([
    ['write rows.ndjson.gz', 1],
    ['written rows.ndjson.gz', 1],
    ['read', 1],
    ['written manifest.json', 1],
    ['read', 2],
    ['read', 3],
    ['write rows.ndjson.gz', 2],
    ['read', 4],
  ])('loses and doubles nothing when stopped at "%s" (%d)', async (operation, times) => {
    await converse(...Array.from({ length: 22 }, () => 2));
    const before = [...(await stored('conversations')), ...(await stored('messages'))].toSorted();
    interruptAt(operation, times);
    await expect(runDirectly()).rejects.toThrow('interrupted');
    store.before = () => undefined;
    const { totals } = await runDirectly();
    expect(totals.kept).toBe(0);
    expect(await stored('conversations')).toEqual([]);
    expect(await stored('messages')).toEqual([]);
    const listed = await archives();
    expect(listed.reduce((sum, { count }) => sum + count, 0)).toBe(22);
    await restoreAll();
    expect([...(await stored('conversations')), ...(await stored('messages'))].toSorted()).toEqual(before);
  });
});

it('deletes nothing from the database if the file cannot be read back as it was written', async () => {
  await converse(3);
  store.before = (operation, name) => {
    if (operation !== 'written rows.ndjson.gz') return;
    const path = join(store.location, name);
    const bytes = readFileSync(path);
    bytes[bytes.length - 20] = (bytes.at(-20) ?? 0) ^ 1;
    writeFileSync(path, bytes);
  };
  const request = { tenantId: tenant.tenantId, kind: 'conversations', olderThanDays: 0, dryRun: false };
  const failing = app.app.get(ArchiveRunService).run(request, { signal: new AbortController().signal });
  await expect(failing).rejects.toThrow(/is damaged/);
  expect(await stored('messages')).toHaveLength(3);
  expect(await archives()).toEqual([]);
  const { body } = await app.request<{ data: { state: string; error: string }[] }>(
    'GET',
    '/v1/archives/runs?limit=1',
  );
  expect(body.data[0]).toMatchObject({ state: 'failed', error: expect.stringContaining('is damaged') });
});

it('deletes the archives of a tenant with it', async () => {
  await converse(2);
  await run({ kind: 'conversations' });
  const [archive] = await archives();
  const files = (): string[] =>
    readdirSync(store.location, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.startsWith(String(archive?.id)),
    );
  expect(files()).not.toEqual([]);
  await app.request('DELETE', `/v1/tenants/${tenant.tenantId}`);
  await eventually(async () => files().length === 0 && (await archives()).length === 0);
});

describe('a participant with archived data', () => {
  const findsText = (text: string): boolean => linesOf().some((line) => JSON.stringify(line).includes(text));

  it('is exported with it, and erased from the files and by restores', async () => {
    const [mine = '', other = ''] = await converse(3, 2);
    await run({ kind: 'conversations' });
    const [archive] = await archives();
    const exported = await fetch(`${app.url}/v1/participants/p0/export`, {
      headers: { authorization: `Bearer ${tenant.apiKey}` },
    });
    const lines = (await exported.text())
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { kind: string; document: Record<string, unknown> });
    expect(lines.filter(({ kind }) => kind === 'archived:messages')).toHaveLength(3);
    expect(lines.find(({ kind }) => kind === 'archived:conversations')?.document).toMatchObject({
      id: mine,
      participantId: 'p0',
      metadata: { whole: 1, half: 0.5 },
    });

    const { status, body } = await tenant.request<{
      removed: Record<string, number>;
      remaining: Record<string, number>;
    }>('DELETE', '/v1/participants/p0');
    expect(status).toBe(200);
    expect(body.removed).toMatchObject({ archivedRoots: 1 });
    expect(Object.values(body.remaining).every((count) => count === 0)).toBe(true);
    const roots = new Set(linesOf().map(({ root }) => root));
    expect([roots.has(mine), roots.has(other)]).toEqual([false, true]);
    expect(await archives()).toMatchObject([{ id: archive?.id, count: 1, state: 'stored' }]);
    expect(await restoreAll()).toMatchObject([{ restored: 1 }]);
    expect((await tenant.request('GET', `/v1/conversations/${mine}`)).status).toBe(404);
    expect((await tenant.request('GET', `/v1/conversations/${other}`)).status).toBe(200);
  });

  it('leaves no archive if it was the only one in it', async () => {
    const unique = `Text of ${tenant.tenantId}`;
    const { body } = await tenant.request<{ id: string }>('POST', '/v1/conversations', {
      participantId: 'alone',
      channel: 'web',
      title: unique,
    });
    expect(body.id).toMatch(/^[0-9a-f]{24}$/);
    await run({ kind: 'conversations' });
    expect(findsText(unique)).toBe(true);
    await tenant.request('DELETE', '/v1/participants/alone');
    expect(await archives()).toEqual([]);
    expect(findsText(unique)).toBe(false);
  });

  it('is erased from archives alone if a restored backup says so', async () => {
    const [mine = '', other = ''] = await converse(2, 2);
    await run({ kind: 'conversations' });
    const eraser = app.app.get(ParticipantEraser);
    const participantHash = await app.app.get(ParticipantHashes).of(tenant.tenantId, 'p0');
    // As `npm run restore` stores it.
    await app.database
      .collection('participant_erasures')
      .insertOne({ tenantId: tenant.tenantId, participantHash, erasedAt: new Date(), state: 'pending' });
    await eraser.sweep();
    const roots = new Set(linesOf().map(({ root }) => root));
    expect([roots.has(mine), roots.has(other)]).toEqual([false, true]);
    expect(await eraser.pendingHashes(tenant.tenantId)).toEqual([]);
  });

  it('does not come back if an old file does', async () => {
    const [mine = ''] = await converse(2);
    await run({ kind: 'conversations' });
    const [archive] = await app.database
      .collection<{ tenantId: string; contents: { folder: string } }>('archives')
      .find({ tenantId: tenant.tenantId })
      .toArray();
    const folder = join(store.location, String(archive?.contents.folder));
    const files = readdirSync(folder);
    const kept = files.map((name) => {
      const path = join(folder, name);
      return { path, bytes: readFileSync(path) };
    });
    await tenant.request('DELETE', '/v1/participants/p0');
    // As if a backup of the archives had been restored.
    mkdirSync(folder, { recursive: true });
    for (const { path, bytes } of kept) writeFileSync(path, bytes);
    if (archive) await app.database.collection('archives').insertOne(archive);
    expect(await restoreAll()).toMatchObject([{ restored: 0, erased: 1, rows: 0 }]);
    expect((await tenant.request('GET', `/v1/conversations/${mine}`)).status).toBe(404);
  });
});

it('refuses what it does not know', async () => {
  expect(await app.request('POST', '/v1/archives/run', { tenantId: 'nobody' })).toMatchObject({
    status: 404,
    body: { code: 'tenant_not_found' },
  });
  expect(await app.request('POST', '/v1/archives/run', { kind: 'dreams' })).toMatchObject({ status: 400 });
  const unknown = new mongo.ObjectId().toHexString();
  expect(await app.request('POST', `/v1/archives/${unknown}/restore`)).toMatchObject({
    status: 404,
    body: { code: 'archive_not_found' },
  });
  for (const [method, path] of [
    ['GET', '/v1/archives'],
    ['GET', '/v1/archives/runs'],
    ['POST', '/v1/archives/run'],
    ['POST', `/v1/archives/${unknown}/restore`],
  ] as const)
    expect((await tenant.request(method, path, method === 'POST' ? {} : undefined)).status).toBe(403);
});
