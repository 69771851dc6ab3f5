import { createTestApp, type TestApp, type TestTenant } from '../support/app.js';
import { accept, becomes, search, stateOf } from '../support/transcripts.js';
import { TombstoneSweeper } from '../../src/transcript/tombstone-sweeper.js';

const DAY_MS = 86_400_000;

/** A client of the tenant for another process of the same deployment. */
const through = (app: TestApp, tenant: TestTenant): TestTenant => ({
  ...tenant,
  request: (method, path, body, headers) => app.request(method, path, body, headers, tenant.apiKey),
});

const soon = { TRANSCRIPT_BATCH_TIMEOUT_MS: '20' };

describe('transcripts shared by two processes on one database', () => {
  let one: TestApp;
  let two: TestApp;
  let inOne: TestTenant;
  let inTwo: TestTenant;

  beforeAll(async () => {
    one = await createTestApp(soon);
    two = await createTestApp({ ...soon, MONGODB_URI: one.database.uri });
  });
  beforeEach(async () => {
    inOne = await one.createTenant();
    inTwo = through(two, inOne);
  });
  afterAll(async () => {
    await two.close();
    await one.close();
  });

  const hits = async (of: TestTenant, query: string, limit = 100): Promise<object[]> =>
    (
      await of.request<{ data: { id: string; score: number }[] }>('POST', '/v1/transcripts/search', {
        query,
        limit,
      })
    ).body.data.map(({ id, score }) => ({ id, score }));

  it('give the same search results in both, immediately after one is stored or deleted in either', async () => {
    const ids: string[] = [];
    for (let round = 0; round < 6; round++) {
      const [writer, reader] = round % 2 === 0 ? [inOne, inTwo] : [inTwo, inOne];
      const id = await accept(writer, `a walk along the river, number ${round}`);
      ids.push(id);
      // This process has read the row as stored, so its search must find it too.
      await becomes(reader, id, 'stored');
      expect((await search(reader, 'river walk')).toSorted()).toEqual(ids.toSorted());
      expect(await hits(reader, 'river walk')).toEqual(await hits(writer, 'river walk'));
      if (round < 2) continue;
      const gone = ids.shift() ?? '';
      expect((await writer.request('DELETE', `/v1/transcripts/${gone}`)).status).toBe(204);
      expect(await search(reader, 'river walk')).not.toContain(gone);
      expect(await hits(reader, 'river walk')).toEqual(await hits(writer, 'river walk'));
    }
  });

  it('are counted together', async () => {
    await becomes(inTwo, await accept(inOne, 'the first'), 'stored');
    await becomes(inOne, await accept(inTwo, 'the second'), 'stored');
    for (const caller of [inOne, inTwo])
      expect((await caller.request('GET', '/v1/transcripts/stats')).body).toMatchObject({
        completed: 2,
        failed: 0,
        dead: 0,
        batches: 2,
        meanBatchSize: 1,
      });
  });

  it('are not found by a process that missed their deletion, when both processes have swept the tombstones', async () => {
    const { tenantId } = inOne;
    const tombstones = one.database.collection('transcript_tombstones');
    const counters = one.database.collection('transcript_counters');
    const stays = await accept(inOne, 'something of the sea');
    await becomes(inOne, stays, 'stored');
    const gone = await Promise.all(
      [1, 2, 3].map((n) => accept(inOne, `a cottage in the hills, number ${n}`)),
    );
    for (const id of gone) await becomes(inTwo, id, 'stored');
    expect(await search(inTwo, 'a cottage in the hills')).toHaveLength(4);
    for (const id of gone) await inOne.request('DELETE', `/v1/transcripts/${id}`);
    const sweepers = [one, two].map(({ app }) => app.get(TombstoneSweeper));

    await Promise.all(sweepers.map((sweeper) => sweeper.sweep(new Date(Date.now() + 29 * DAY_MS))));
    expect(await tombstones.countDocuments({ tenantId })).toBe(3);
    expect(await counters.findOne({ tenantId })).toMatchObject({ forgottenSeq: 0 });

    await Promise.all(sweepers.map((sweeper) => sweeper.sweep(new Date(Date.now() + 31 * DAY_MS))));
    expect(await tombstones.countDocuments({ tenantId })).toBe(0);
    const counter = await counters.findOne({ tenantId });
    expect(counter?.['forgottenSeq']).toBe(counter?.['seq']);
    // If the deleted vectors were still in its matrix, one of them would be the best hit and the result would
    // be empty.
    expect(await hits(inTwo, 'a cottage in the hills', 1)).toMatchObject([{ id: stays }]);
  });
});

describe('a queued transcript', () => {
  let accepting: TestApp;
  let other: TestApp;
  let inAccepting: TestTenant;
  let inOther: TestTenant;

  beforeAll(async () => {
    accepting = await createTestApp({ WORKERS: 'off', TRANSCRIPT_MAX_QUEUE_SIZE: '4' });
    other = await createTestApp({
      WORKERS: 'off',
      TRANSCRIPT_MAX_QUEUE_SIZE: '4',
      MONGODB_URI: accepting.database.uri,
    });
  });
  beforeEach(async () => {
    inAccepting = await accepting.createTenant();
    inOther = through(other, inAccepting);
  });
  afterAll(async () => {
    await other.close();
    await accepting.close();
  });

  const statusIn = async (of: TestTenant, id: string): Promise<number> =>
    (await of.request('GET', `/v1/transcripts/${id}`)).status;

  it('is visible to every process immediately, can be deleted permanently by any, and not by another tenant', async () => {
    const stranger = await other.createTenant();
    const gone = await accept(inAccepting, 'to be deleted while it waits');
    expect(await stateOf(inOther, gone)).toEqual({ id: gone, status: 'queued' });
    expect(await statusIn(stranger, gone)).toBe(404);
    expect((await stranger.request('DELETE', `/v1/transcripts/${gone}`)).status).toBe(404);
    expect((await inOther.request('DELETE', `/v1/transcripts/${gone}`)).status).toBe(204);
    for (const caller of [inOther, inAccepting]) expect(await statusIn(caller, gone)).toBe(404);
    expect((await inOther.request('DELETE', `/v1/transcripts/${gone}`)).status).toBe(404);
  });

  it('is neither listed nor found before it is stored', async () => {
    await accept(inAccepting, 'not stored yet');
    expect((await inOther.request('GET', '/v1/transcripts')).body).toEqual({ data: [], nextCursor: null });
    expect(await search(inOther, 'not stored yet')).toEqual([]);
  });

  it('counts against the limit in all processes', async () => {
    for (const caller of [inAccepting, inOther, inAccepting, inOther]) await accept(caller, 'one of four');
    for (const caller of [inAccepting, inOther]) {
      expect((await caller.request('GET', '/v1/transcripts/stats')).body).toMatchObject({ queued: 4 });
      const body = { participantId: 'ana', channel: 'web', transcript: 'the fifth' };
      expect((await caller.request('POST', '/v1/transcripts', body)).body).toMatchObject({
        status: 429,
        code: 'transcript_queue_full',
      });
    }
  });

  it('is stored by the worker of another process, which finds it without a notification', async () => {
    const id = await accept(inAccepting, 'for whoever does the work');
    const working = await createTestApp({ ...soon, MONGODB_URI: accepting.database.uri });
    try {
      await becomes(inAccepting, id, 'stored');
      expect(await search(inAccepting, 'whoever does the work')).toEqual([id]);
    } finally {
      await working.app.close();
    }
  });
});
