import { createTestApp, type TestApp, type TestTenant } from '../support/app.js';
import { createDataDir } from '../support/data-dir.js';
import { eventually } from '../support/eventually.js';
import { type FakeOllama, startFakeOllama } from '../support/fake-ollama.js';
import { accept, becomes, search, stateOf } from '../support/transcripts.js';

interface Row {
  tenantId: string;
  status: string;
  vector?: { sub_type: number };
}

describe('operating transcripts', () => {
  let ollama: FakeOllama;
  let app: TestApp;
  let tenant: TestTenant;

  beforeAll(async () => {
    ollama = await startFakeOllama();
    app = await createTestApp({ ...ollama.settings, TRANSCRIPT_BATCH_TIMEOUT_MS: '20' });
  });
  beforeEach(async () => {
    ollama.refused = undefined;
    ollama.broken = undefined;
    tenant = await app.createTenant();
  });
  afterEach(() => {
    ollama.release();
  });
  afterAll(async () => {
    await app.close();
    await ollama.close();
  });

  /**
   * The statistics of the tenant or the process, once no batch is in progress. A row becomes visible shortly
   * before its batch has finished.
   */
  const settledStats = async (of: Pick<TestTenant, 'request'>): Promise<Record<string, unknown>> => {
    let stats: Record<string, unknown> = {};
    await eventually(async () => {
      stats = (await of.request('GET', '/v1/transcripts/stats')).body;
      return stats['queued'] === 0 && stats['processing'] === 0;
    });
    return stats;
  };
  const statsOf = async (of: TestTenant): Promise<Record<string, unknown>> =>
    (await of.request('GET', '/v1/transcripts/stats')).body;

  /**
   * Creates a dead letter of the tenant with a unique text, since an embedder caches the texts it has seen.
   */
  async function deadLetter(): Promise<string> {
    ollama.refused = 'poison';
    const id = await accept(tenant, `a bad text, poison of ${tenant.tenantId}`);
    await becomes(tenant, id, 'failed');
    return id;
  }

  describe('stats', () => {
    it('report only the transcripts of the tenant, in every state', async () => {
      const other = await app.createTenant();
      const good = await accept(tenant, 'a good text');
      await becomes(tenant, good, 'stored');
      const gone = await accept(tenant, 'a text that goes');
      await becomes(tenant, gone, 'stored');
      await deadLetter();
      expect(await settledStats(tenant)).toMatchObject({
        queued: 0,
        processing: 0,
        completed: 2,
        failed: 1,
        dead: 1,
      });
      await tenant.request('DELETE', `/v1/transcripts/${gone}`);
      const after = await statsOf(tenant);
      expect(after).toMatchObject({ completed: 1, failed: 1, dead: 1, batches: 3, meanBatchSize: 1 });
      expect(await statsOf(other)).toEqual({
        queued: 0,
        processing: 0,
        queueLimit: 1000,
        completed: 0,
        failed: 0,
        dead: 0,
        batches: 0,
        meanBatchSize: null,
      });
    });

    it('report the queued transcripts and those being processed', async () => {
      const other = await app.createTenant();
      ollama.hold();
      const id = await accept(tenant, 'the one');
      await ollama.held();
      // Transcripts being processed are counted once per second.
      await eventually(async () => (await statsOf(tenant))['processing'] === 1);
      expect(await statsOf(tenant)).toMatchObject({ queued: 0, processing: 1 });
      expect(await statsOf(other)).toMatchObject({ queued: 0, processing: 0 });
      ollama.release();
      await becomes(tenant, id, 'stored');
    });

    it('show the operator the queued transcripts of all tenants, and the work of this process', async () => {
      const before = await settledStats(app);
      const id = await accept(tenant, 'for the operator');
      await becomes(tenant, id, 'stored');
      await search(tenant, 'operator');
      const body = await settledStats(app);
      expect(body['completed']).toBe(Number(before['completed']) + 1);
      expect(body['batches']).toBe(Number(before['batches']) + 1);
      expect(body).toMatchObject({
        queued: 0,
        processing: 0,
        batchSizes: { p50: expect.any(Number), p95: expect.any(Number), max: expect.any(Number) },
        embedTimes: { count: body['batches'] },
        embeddingCache: { max: 1000, misses: expect.any(Number) },
        oldestMs: 0,
        accepted: expect.any(Number),
        index: { tenants: expect.any(Number) },
      });
    });

    it('do not count transcripts deleted before they were stored', async () => {
      ollama.hold();
      const deleted = await accept(tenant, 'deleted in time');
      await ollama.held();
      await tenant.request('DELETE', `/v1/transcripts/${deleted}`);
      ollama.release();
      await accept(tenant, 'the last').then((last) => becomes(tenant, last, 'stored'));
      expect(await statsOf(tenant)).toMatchObject({ completed: 1, dead: 0, batches: 1, meanBatchSize: 1 });
    });
  });

  describe('a dead letter', () => {
    it('is stored with a vector by a replay, once even if several clients request it', async () => {
      const id = await deadLetter();
      expect(await search(tenant, 'a bad text')).toEqual([]);
      ollama.refused = undefined;
      ollama.hold();
      const answers = await Promise.all(
        Array.from({ length: 5 }, () => tenant.request('POST', `/v1/transcripts/${id}/replay`)),
      );
      ollama.release();
      expect(answers.map(({ status }) => status).toSorted()).toEqual([202, 409, 409, 409, 409]);
      await becomes(tenant, id, 'stored');
      expect(await search(tenant, 'a bad text')).toEqual([id]);
      expect(await stateOf(tenant, id)).toMatchObject({ error: null });
      const row = await app.database.collection<Row>('transcripts').findOne({ tenantId: tenant.tenantId });
      expect(row?.vector?.sub_type).toBe(9);
      expect(await statsOf(tenant)).toMatchObject({ completed: 1, dead: 0, failed: 1 });
      expect((await tenant.request('POST', `/v1/transcripts/${id}/replay`)).body).toMatchObject({
        code: 'transcript_not_failed',
      });
    });

    it('stays a dead letter with the new error when it fails again, and is queued meanwhile', async () => {
      const id = await deadLetter();
      const { tenantId } = tenant;
      const rows = app.database.collection('transcripts');
      await rows.updateOne({ tenantId }, { $set: { error: 'the old error' } });
      ollama.hold();
      expect((await tenant.request('POST', `/v1/transcripts/${id}/replay`)).status).toBe(202);
      await ollama.held();
      expect(await stateOf(tenant, id)).toEqual({ id, status: 'processing' });
      ollama.release();
      await becomes(tenant, id, 'failed');
      expect((await stateOf(tenant, id)).error).not.toBe('the old error');
      expect(await statsOf(tenant)).toMatchObject({ completed: 0, dead: 1, failed: 2 });
    });

    it('does not reappear when it is deleted during a replay', async () => {
      const id = await deadLetter();
      ollama.hold();
      ollama.refused = undefined;
      await tenant.request('POST', `/v1/transcripts/${id}/replay`);
      await ollama.held();
      expect((await tenant.request('DELETE', `/v1/transcripts/${id}`)).status).toBe(204);
      expect((await tenant.request('GET', `/v1/transcripts/${id}`)).status).toBe(404);
      ollama.release();
      await accept(tenant, 'the last').then((last) => becomes(tenant, last, 'stored'));
      expect((await tenant.request('GET', `/v1/transcripts/${id}`)).status).toBe(404);
      expect(await search(tenant, 'a bad text')).not.toContain(id);
      expect(await statsOf(tenant)).toMatchObject({ completed: 1, dead: 0 });
    });

    it('cannot be replayed by another tenant, nor can a transcript that is not a dead letter', async () => {
      const id = await deadLetter();
      const other = await app.createTenant();
      expect((await other.request('POST', `/v1/transcripts/${id}/replay`)).status).toBe(404);
      expect((await other.request('POST', '/v1/transcripts/replay')).body).toEqual({
        replayed: 0,
        nextCursor: null,
      });
      expect((await stateOf(tenant, id)).status).toBe('failed');
      expect((await tenant.request('POST', `/v1/transcripts/${'0'.repeat(24)}/replay`)).status).toBe(404);
    });

    it('is replayed with all others page by page, also by the operator', async () => {
      const { tenantId } = tenant;
      ollama.refused = 'poison';
      const ids = await Promise.all([1, 2, 3, 4, 5].map((n) => accept(tenant, `poison number ${n}`)));
      for (const id of ids) await becomes(tenant, id, 'failed');
      ollama.refused = undefined;
      const replay = async (body: object): Promise<{ replayed: number; nextCursor: string | null }> =>
        (
          await tenant.request<{ replayed: number; nextCursor: string | null }>(
            'POST',
            '/v1/transcripts/replay',
            body,
          )
        ).body;
      ollama.hold();
      const first = await replay({ limit: 3 });
      expect(first).toEqual({ replayed: 3, nextCursor: expect.any(String) });
      const admin = await app.request('POST', '/v1/transcripts/replay', {
        tenantId,
        cursor: first.nextCursor,
      });
      expect(admin).toMatchObject({ status: 202, body: { replayed: 2, nextCursor: null } });
      expect(await replay({ limit: 3 })).toEqual({ replayed: 0, nextCursor: null });
      ollama.release();
      for (const id of ids) await becomes(tenant, id, 'stored');
      expect((await search(tenant, 'poison')).toSorted()).toEqual(ids.toSorted());
      expect((await app.request('POST', '/v1/transcripts/replay', {})).status).toBe(400);
      expect((await tenant.request('POST', '/v1/transcripts/replay', { tenantId: 'another' })).status).toBe(
        400,
      );
    });
  });

  describe('an embedder', () => {
    let strict: TestApp;
    let of: TestTenant;

    beforeAll(async () => {
      strict = await createTestApp({
        ...ollama.settings,
        TRANSCRIPT_ATTEMPTS: '1',
        TRANSCRIPT_BATCH_SIZE: '3',
        TRANSCRIPT_MAX_CONCURRENT_BATCHES: '1',
      });
    });
    beforeEach(async () => {
      of = await strict.createTenant();
    });
    afterAll(() => strict.close());

    const acceptThree = (name: string): Promise<string[]> =>
      Promise.all([1, 2, 3].map((n) => accept(of, `${name} number ${n}`)));
    const figures = async (): Promise<Record<string, unknown>> =>
      (await strict.request('GET', '/v1/transcripts/stats')).body;

    it('receives everything queued meanwhile in one batch when it is slow', async () => {
      const before = await figures();
      ollama.hold();
      const first = await acceptThree('the first batch');
      await ollama.held();
      const later: string[] = [];
      for (const round of ['one', 'two', 'three']) later.push(...(await acceptThree(`meanwhile, ${round}`)));
      ollama.release();
      for (const id of [...first, ...later]) await becomes(of, id, 'stored');
      expect(Number((await figures())['batches']) - Number(before['batches'])).toBe(2);
    });

    it('makes only the failing text a dead letter, and the rest of its batch is stored', async () => {
      ollama.broken = 'number 2';
      const [one = '', two = '', three = ''] = await acceptThree('a breaking text');
      await becomes(of, two, 'failed');
      for (const id of [one, three]) await becomes(of, id, 'stored');
      expect((await stateOf(of, two)).error).toContain('500');
    });

    it('makes no dead letters when it is unavailable for longer than all attempts', async () => {
      ollama.broken = '';
      const before = await figures();
      const ids = await acceptThree('a text of an outage');
      await eventually(async () => Number((await figures())['retries']) >= Number(before['retries']) + 3);
      expect((await figures())['dead']).toBe(before['dead']);
      ollama.broken = undefined;
      for (const id of ids) await becomes(of, id, 'stored');
    });
  });

  it('reports a query that the embedding service rejects', async () => {
    ollama.refused = 'forbidden';
    const answer = await tenant.request('POST', '/v1/transcripts/search', { query: 'a forbidden word' });
    expect(answer).toMatchObject({ status: 502, body: { code: 'embedding_refused' } });
  });

  it('keeps neither row nor vector of a transcript deleted while it is embedded, even after a restart', async () => {
    const { dataDir, removeDataDir } = createDataDir();
    const settings = { ...ollama.settings, DATA_DIR: dataDir, TRANSCRIPT_BATCH_TIMEOUT_MS: '20' };
    const first = await createTestApp(settings);
    const of = await first.createTenant();
    ollama.hold();
    const id = await accept(of, 'a text that is deleted in the middle');
    await ollama.held();
    expect(await stateOf(of, id)).toEqual({ id, status: 'processing' });
    expect((await of.request('DELETE', `/v1/transcripts/${id}`)).status).toBe(204);
    expect((await of.request('GET', `/v1/transcripts/${id}`)).status).toBe(404);
    expect((await of.request('DELETE', `/v1/transcripts/${id}`)).status).toBe(404);
    ollama.release();
    const last = await accept(of, 'a text that stays, not deleted in the middle');
    await becomes(of, last, 'stored');
    expect(await search(of, 'deleted in the middle')).toEqual([last]);
    await first.app.close();
    const second = await createTestApp({ ...settings, MONGODB_URI: first.database.uri });
    const again: TestTenant = {
      ...of,
      request: (method, path, body, headers) => second.request(method, path, body, headers, of.apiKey),
    };
    expect((await again.request('GET', `/v1/transcripts/${id}`)).status).toBe(404);
    expect(await search(again, 'deleted in the middle')).toEqual([last]);
    expect(await first.database.collection('transcripts').countDocuments({ tenantId: of.tenantId })).toBe(1);
    await second.close();
    await first.database.drop();
    removeDataDir();
  });
});
