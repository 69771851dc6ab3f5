import { createTestApp, type TestApp, type TestTenant } from '../support/app.js';
import { eventually } from '../support/eventually.js';

interface State {
  id: string;
  status: string;
  externalId: string | null;
}

const body = (transcript: string, externalId?: string) => ({
  participantId: 'ana',
  channel: 'web',
  transcript,
  ...(externalId !== undefined && { externalId }),
});

describe('a transcript with an externalId', () => {
  let app: TestApp;
  let tenant: TestTenant;

  const post = async (of: TestTenant, transcript: string, externalId?: string): Promise<string> => {
    const answer = await of.request<State>('POST', '/v1/transcripts', body(transcript, externalId));
    expect(answer.status).toBe(202);
    return answer.body.id;
  };
  const stored = async (of: TestTenant, id: string): Promise<State> => {
    let state = { id, status: 'queued' } as State;
    await eventually(async () => {
      state = (await of.request<State>('GET', `/v1/transcripts/${id}`)).body;
      return state.status === 'stored';
    });
    return state;
  };
  const rows = ({ tenantId }: TestTenant) =>
    app.database.collection('transcripts').find({ tenantId }).toArray();

  beforeAll(async () => {
    app = await createTestApp({ TRANSCRIPT_BATCH_TIMEOUT_MS: '50' });
  });
  beforeEach(async () => {
    tenant = await app.createTenant();
  });
  afterAll(() => app.close());

  it('is stored once, however often it is sent before and after it is stored, with the first contents', async () => {
    const ids = await Promise.all(Array.from({ length: 25 }, (_, n) => post(tenant, `text ${n}`, 'talk-1')));
    expect(new Set(ids).size).toBe(1);
    const first = await stored(tenant, ids[0] ?? '');
    expect(first).toMatchObject({ externalId: 'talk-1' });
    expect(await post(tenant, 'another text', 'talk-1')).toBe(first.id);
    await stored(tenant, await post(tenant, 'the last', 'talk-2'));
    expect(await rows(tenant)).toHaveLength(2);
    expect(await stored(tenant, first.id)).toEqual(first);
  });

  it('does not conflict with the same externalId of another tenant, which cannot read it', async () => {
    const other = await app.createTenant();
    const [own, foreign] = await Promise.all([
      post(tenant, 'mine', 'talk-1'),
      post(other, 'yours', 'talk-1'),
    ]);
    expect(own).not.toBe(foreign);
    await Promise.all([stored(tenant, own), stored(other, foreign)]);
    expect((await rows(tenant)).map(({ transcript }) => transcript as string)).toEqual(['mine']);
    expect((await rows(other)).map(({ transcript }) => transcript as string)).toEqual(['yours']);
    expect((await other.request('GET', `/v1/transcripts/${own}`)).status).toBe(404);
  });

  it('is not stored again after its deletion', async () => {
    const id = await post(tenant, 'a secret', 'talk-1');
    await stored(tenant, id);
    expect((await tenant.request('DELETE', `/v1/transcripts/${id}`)).status).toBe(204);
    expect(await post(tenant, 'a secret', 'talk-1')).toBe(id);
    await stored(tenant, await post(tenant, 'the last'));
    expect(await rows(tenant)).toHaveLength(1);
    expect((await tenant.request('GET', `/v1/transcripts/${id}`)).status).toBe(404);
  });

  it('is queued once, so that a repeated request does not count against the queue limit', async () => {
    const small = await createTestApp({
      TRANSCRIPT_MAX_QUEUE_SIZE: '2',
      TRANSCRIPT_BATCH_SIZE: '100',
      TRANSCRIPT_BATCH_TIMEOUT_MS: '600000',
    });
    try {
      const of = await small.createTenant();
      const ids = [await post(of, 'one', 'talk-1'), await post(of, 'one', 'talk-1')];
      expect(ids[0]).toBe(ids[1]);
      await post(of, 'two', 'talk-2');
      expect((await of.request('POST', '/v1/transcripts', body('three', 'talk-3'))).status).toBe(429);
    } finally {
      await small.close();
    }
  });

  it.each(['', 'x'.repeat(201), 'a\nb'])('is rejected with the externalId %j', async (externalId) => {
    expect((await tenant.request('POST', '/v1/transcripts', body('text', externalId))).status).toBe(400);
  });
});
