import { createTestApp, type TestApp, type TestTenant } from '../support/app.js';
import { eventually } from '../support/eventually.js';

interface State {
  id: string;
  status: string;
  externalId: string | null;
  transcript?: string;
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

  it('is stored once, however often it is sent before and after it is stored', async () => {
    const ids = await Promise.all(Array.from({ length: 25 }, () => post(tenant, 'text', 'talk-1')));
    expect(new Set(ids).size).toBe(1);
    const first = await stored(tenant, ids[0] ?? '');
    expect(first).toMatchObject({ externalId: 'talk-1' });
    expect(await post(tenant, 'text', 'talk-1')).toBe(first.id);
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

  it('is stored as a new one when it is sent again after its deletion, whatever it contains', async () => {
    const id = await post(tenant, 'a secret', 'talk-1');
    await stored(tenant, id);
    expect((await tenant.request('DELETE', `/v1/transcripts/${id}`)).status).toBe(204);
    const again = await post(tenant, 'no secret', 'talk-1');
    expect(again).not.toBe(id);
    expect(await stored(tenant, again)).toMatchObject({ externalId: 'talk-1', transcript: 'no secret' });
    expect((await tenant.request('GET', `/v1/transcripts/${id}`)).status).toBe(404);
    const { body: found } = await tenant.request<{ data: State[] }>('POST', '/v1/transcripts/search', {
      query: 'secret',
    });
    expect(found.data.map((hit) => hit.id)).toEqual([again]);
  });

  it.each([
    ['text', { transcript: 'another text' }],
    ['participant', { participantId: 'ben' }],
    ['channel', { channel: 'sms' }],
    ['summary', { summary: 'Short.' }],
    ['metadata', { metadata: { a: { b: 1 } } }],
  ])('is refused with another %s, while it is queued and when it is stored', async (_what, other) => {
    const first = { ...body('text', 'talk-1'), metadata: { a: { b: 2 }, c: [0] } };
    const { body: created } = await tenant.request<State>('POST', '/v1/transcripts', first);
    const refused = {
      status: 409,
      body: { code: 'external_id_in_use', externalId: 'talk-1', transcriptId: created.id },
    };
    expect(await tenant.request('POST', '/v1/transcripts', { ...first, ...other })).toMatchObject(refused);
    const before = await stored(tenant, created.id);
    expect(await tenant.request('POST', '/v1/transcripts', { ...first, ...other })).toMatchObject(refused);
    const reordered = { ...first, metadata: { c: [0], a: { b: 2 } } };
    expect(await tenant.request('POST', '/v1/transcripts', reordered)).toMatchObject({
      status: 202,
      body: { id: created.id },
    });
    expect(await stored(tenant, created.id)).toEqual(before);
  });

  it('is accepted from one of several requests that send different ones at once, the others are refused', async () => {
    const other = await createTestApp({ TRANSCRIPT_BATCH_TIMEOUT_MS: '50', MONGODB_URI: app.database.uri });
    try {
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          (n % 2 ? app : other).request(
            'POST',
            '/v1/transcripts',
            body(`text ${n}`, 'talk-1'),
            {},
            tenant.apiKey,
          ),
        ),
      );
      const accepted = answers.findIndex((answer) => answer.status === 202);
      expect(answers.filter((answer) => answer.status === 202)).toHaveLength(1);
      expect(answers.filter((answer) => answer.status === 409)).toHaveLength(19);
      expect((await rows(tenant)).map(({ transcript }) => transcript as string)).toEqual([
        `text ${accepted}`,
      ]);
    } finally {
      await other.close();
    }
  });

  it('does not conflict with a transcript without one, even if it is named like a missing one', async () => {
    await post(tenant, 'text', 'undefined');
    const requests = ['first', 'second', 'third'].map((text) => body(text));
    const answers = await Promise.all(
      [body('another', 'undefined'), ...requests].map((one) =>
        tenant.request('POST', '/v1/transcripts', one),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual([409, 202, 202, 202]);
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

  it.each(['', 'x'.repeat(257), 'a\nb'])('is rejected with the externalId %j', async (externalId) => {
    expect((await tenant.request('POST', '/v1/transcripts', body('text', externalId))).status).toBe(400);
  });
});
