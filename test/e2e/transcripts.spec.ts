import { createTestApp, type TestApp, type TestTenant } from '../support/app.js';
import { eventually } from '../support/eventually.js';

interface State {
  id: string;
  status: string;
}

const talk = (about: string): string =>
  `Hello, this is about ${about}.\nI see, ${about} it is. Anything else?\nNo, thank you.`;

describe('transcripts', () => {
  let app: TestApp;
  let tenant: TestTenant;

  const accept = async (of: TestTenant, about: string, channel = 'web'): Promise<string> => {
    const { status, body } = await of.request<State>('POST', '/v1/transcripts', {
      participantId: 'ana',
      channel,
      transcript: talk(about),
      metadata: { about },
    });
    expect(status).toBe(202);
    return body.id;
  };
  const stored = (of: TestTenant, id: string): Promise<void> =>
    eventually(
      async () => (await of.request<State>('GET', `/v1/transcripts/${id}`)).body.status === 'stored',
    );
  const search = async (of: TestTenant, query: string, more: object = {}): Promise<string[]> => {
    const { body } = await of.request<{ data: { id: string; score: number }[] }>(
      'POST',
      '/v1/transcripts/search',
      {
        query,
        ...more,
      },
    );
    return body.data.map(({ id }) => id);
  };

  beforeAll(async () => {
    app = await createTestApp({ TRANSCRIPT_BATCH_TIMEOUT_MS: '50' });
  });
  beforeEach(async () => {
    tenant = await app.createTenant();
  });
  afterAll(() => app.close());

  it('are accepted, stored in batches, and found by semantic search for their own tenant only', async () => {
    const other = await app.createTenant();
    const train = await accept(tenant, 'a train ticket to Lisbon');
    const table = await accept(tenant, 'a table for four at the bistro');
    const foreign = await accept(other, 'a train ticket to Lisbon');
    await Promise.all([stored(tenant, train), stored(tenant, table), stored(other, foreign)]);
    expect(await search(tenant, 'train tickets to Lisbon')).toEqual([train, table]);
    expect(await search(tenant, 'bistro table', { limit: 1 })).toEqual([table]);
    expect(await search(other, 'train tickets to Lisbon')).toEqual([foreign]);
    expect((await tenant.request('GET', `/v1/transcripts/${train}`)).body).toMatchObject({
      id: train,
      status: 'stored',
      metadata: { about: 'a train ticket to Lisbon' },
    });
    expect((await other.request('GET', `/v1/transcripts/${train}`)).status).toBe(404);
  });

  it('are filtered by channel, and found if they are stored after the first search', async () => {
    const web = await accept(tenant, 'the weather', 'web');
    await stored(tenant, web);
    expect(await search(tenant, 'weather', { channel: 'sms' })).toEqual([]);
    const sms = await accept(tenant, 'the weather', 'sms');
    await stored(tenant, sms);
    expect(await search(tenant, 'weather', { channel: 'sms' })).toEqual([sms]);
    const { body } = await tenant.request<{ data: State[] }>('GET', '/v1/transcripts?limit=1');
    expect(body.data.map(({ id }) => id)).toEqual([sms]);
  });

  it('are missing from lists and searches as soon as the deletion has responded, permanently', async () => {
    const id = await accept(tenant, 'a secret');
    await stored(tenant, id);
    expect(await search(tenant, 'secret')).toEqual([id]);
    expect((await tenant.request('DELETE', `/v1/transcripts/${id}`)).status).toBe(204);
    expect(await search(tenant, 'secret')).toEqual([]);
    expect((await tenant.request('GET', `/v1/transcripts/${id}`)).status).toBe(404);
    expect((await tenant.request('DELETE', `/v1/transcripts/${id}`)).status).toBe(404);
  });

  it('leave neither row nor vector when they are deleted before they are stored', async () => {
    const { tenantId } = tenant;
    const ids = await Promise.all(Array.from({ length: 30 }, (_, n) => accept(tenant, `topic ${n}`)));
    await Promise.all(ids.map((id) => tenant.request('DELETE', `/v1/transcripts/${id}`)));
    const last = await accept(tenant, 'the last');
    await stored(tenant, last);
    await eventually(
      async () => (await app.database.collection('transcripts').countDocuments({ tenantId })) === 1,
    );
    expect(await search(tenant, 'topic', { limit: 100 })).toEqual([last]);
  });

  it('are rejected when the queue is full, when transcripts are switched off, and when they are invalid', async () => {
    const small = await createTestApp({
      TRANSCRIPT_MAX_QUEUE_SIZE: '3',
      TRANSCRIPT_BATCH_SIZE: '100',
      TRANSCRIPT_BATCH_TIMEOUT_MS: '600000',
    });
    try {
      const full = await small.createTenant();
      for (let n = 0; n < 3; n++) await accept(full, `topic ${n}`);
      const body = { participantId: 'ana', channel: 'web', transcript: 'one more' };
      const refused = await full.request('POST', '/v1/transcripts', body);
      expect(refused.status).toBe(429);
      expect(refused.headers.get('retry-after')).toBe('1');
      expect((await (await small.createTenant()).request('POST', '/v1/transcripts', body)).status).toBe(202);
      expect((await full.request('POST', '/v1/transcripts', { ...body, transcript: '' })).status).toBe(400);
      const off = await small.createTenant();
      await small.request('PATCH', `/v1/tenants/${off.tenantId}`, { features: { transcripts: false } });
      expect((await off.request('POST', '/v1/transcripts', body)).body).toMatchObject({
        code: 'transcripts_off',
      });
    } finally {
      await small.close();
    }
  });
});
