import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { NoteCleanup } from '../../examples/notes/note-cleanup.js';
import { NoteRepository } from '../../examples/notes/note.repository.js';
import type { NoteView } from '../../examples/notes/note.dto.js';
import { NotesModule } from '../../examples/notes/notes.module.js';
import { TransactionRunner } from '../../src/database/index.js';
import type { Page } from '../../src/http/index.js';
import { createTestApp, type TestApp, type TestTenant } from '../support/app.js';
import { eventually } from '../support/eventually.js';

const root = process.cwd();
const folder = join(root, 'examples/notes');

/** Without indentation, which differs between a file and an excerpt of it. */
const flat = (code: string): string => code.replaceAll(/^ +/gm, '').trim();
const sources = readdirSync(folder).map((file) => flat(readFileSync(join(folder, file), 'utf8')));
const guide =
  readFileSync(join(root, 'docs/extending.md'), 'utf8').split('\n## A module of your own\n')[1] ?? '';
const excerpts = [...guide.matchAll(/^ *```ts\n([\s\S]*?)^ *```$/gm)].map(([, code = '']) => flat(code));

describe('the example module of docs/extending.md', () => {
  let app: TestApp;
  let tenant: TestTenant;

  const create = (body: object, by = tenant) => by.request<NoteView>('POST', '/v1/notes', body);
  const list = (query: string, by = tenant) => by.request<Page<NoteView>>('GET', `/v1/notes?${query}`);
  const count = async (by = tenant): Promise<unknown> =>
    (await by.request('GET', '/v1/notes/count?participantId=ana')).body;

  beforeAll(async () => {
    app = await createTestApp({}, { imports: [NotesModule], workers: true });
    tenant = await app.createTenant();
  });
  afterAll(() => app.close());

  it('is shown in the guide as it is', () => {
    expect(excerpts.length).toBeGreaterThan(5);
    const unknown = excerpts.filter((code) => !sources.some((source) => source.includes(code)));
    expect(unknown).toEqual([]);
  });

  it('stores notes and lists them in pages, the newest first', async () => {
    for (const text of ['one', 'two', 'three'])
      expect(await create({ participantId: 'ben', text })).toMatchObject({ status: 201, body: { text } });
    const first = await list('participantId=ben&limit=2');
    expect(first.body.data.map(({ text }) => text)).toEqual(['three', 'two']);
    const second = await list(`participantId=ben&limit=2&cursor=${String(first.body.nextCursor)}`);
    expect(second.body).toMatchObject({ data: [{ text: 'one' }], nextCursor: null });
  });

  it('returns nothing to another tenant', async () => {
    await create({ participantId: 'ana', text: 'private' });
    const stranger = await app.createTenant();
    expect((await list('participantId=ana', stranger)).body.data).toEqual([]);
    expect(await count(stranger)).toEqual({ count: 0 });
  });

  it('rejects invalid input and opens no transaction for it', async () => {
    const runner = app.app.get(TransactionRunner);
    const { committed, aborted } = runner.stats();
    expect(await create({ participantId: 'ana', text: '' })).toMatchObject({
      status: 400,
      body: { code: 'validation_failed' },
    });
    expect(runner.stats()).toMatchObject({ committed, aborted });
  });

  it('caches the count until a note is added', async () => {
    const counted = jest.spyOn(app.app.get(NoteRepository), 'count');
    const other = await app.createTenant();
    await create({ participantId: 'ana', text: 'one' }, other);
    expect([await count(other), await count(other)]).toEqual([{ count: 1 }, { count: 1 }]);
    expect(counted).toHaveBeenCalledTimes(1);
    await create({ participantId: 'ana', text: 'two' }, other);
    expect(await count(other)).toEqual({ count: 2 });
    counted.mockRestore();
  });

  it('runs the reminder as a job', async () => {
    await create({ participantId: 'cleo', text: 'call back', remindAt: new Date().toISOString() });
    await eventually(async () => (await list('participantId=cleo')).body.data[0]?.remindedAt !== null);
    expect((await list('participantId=cleo')).body.data).toMatchObject([{ text: 'call back' }]);
  });

  it('contributes a metric, a check and a section of the snapshot', async () => {
    await create({ participantId: 'ana', text: 'counted' });
    const metrics = (await app.inject('/metrics')).body;
    expect(metrics).toMatch(/^colloquy_notes_created_total [1-9]\d*$/m);
    expect((await app.request('GET', '/health/ready')).body).toMatchObject({
      checks: { notes: { status: 'up' } },
    });
    expect((await app.request('GET', '/v1/monitoring')).body).toMatchObject({
      notes: { overdueReminders: 0 },
    });
  });

  it('deletes notes that are older than a year', async () => {
    await create({ participantId: 'old', text: 'old' });
    const later = Date.now() + 366 * 86_400_000;
    const now = jest.spyOn(Date, 'now').mockReturnValue(later);
    await app.app.get(NoteCleanup).run();
    now.mockRestore();
    expect((await list('participantId=old')).body.data).toEqual([]);
  });
});
