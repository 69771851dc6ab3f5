import { createTestApp, type TestApp, type TestTenant } from '../support/app.js';

interface Conversation {
  id: string;
  [field: string]: unknown;
}

interface Problem {
  code: string;
  detail: string;
  errors?: { path: string; message: string }[];
}

const unknownId = 'f'.repeat(24);

describe('/v1/conversations', () => {
  let app: TestApp;
  let tenant: TestTenant;
  let stranger: TestTenant;

  beforeAll(async () => {
    app = await createTestApp();
    tenant = await app.createTenant();
    stranger = await app.createTenant();
  });
  afterAll(() => app.close());

  const create = async (body: object = {}): Promise<Conversation> => {
    const answer = await tenant.request<Conversation>('POST', '/v1/conversations', {
      participantId: 'ana',
      channel: 'web',
      ...body,
    });
    expect(answer.status).toBe(201);
    return answer.body;
  };
  const pathOf = ({ id }: Conversation): string => `/v1/conversations/${id}`;

  it('creates a conversation and returns it', async () => {
    const conversation = await create({ title: 'Table for Friday', metadata: { source: 'ad' } });
    expect(conversation).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{24}$/),
      participantId: 'ana',
      channel: 'web',
      title: 'Table for Friday',
      isActive: true,
      metadata: { source: 'ad' },
      sessionId: null,
      messageCount: 0,
      lastSeq: 0,
      lastMessageAt: null,
      closedAt: null,
      transcriptId: null,
      createdAt: expect.stringMatching(/^\d{4}-.*Z$/),
      updatedAt: conversation['createdAt'],
    });
    const { status, body } = await tenant.request('GET', pathOf(conversation));
    expect([status, body]).toEqual([200, conversation]);
  });

  it.each([
    [{ participantId: { $gt: '' } }, 'participantId'],
    [{ participantId: '' }, 'participantId'],
    [{ participantId: 'a\nb' }, 'participantId'],
    [{ channel: 'Web' }, 'channel'],
    [{ channel: ['web'] }, 'channel'],
    [{ title: 'x'.repeat(257) }, 'title'],
    [{ metadata: { a: { $ne: 1 } } }, 'metadata'],
    [{ metadata: { a: 'x'.repeat(8200) } }, 'metadata'],
    [{ metadata: [] }, 'metadata'],
    [{ isActive: true }, ''],
  ])('rejects %j with a 400 that names the field', async (change, path) => {
    const { status, headers, body } = await tenant.request<Problem>('POST', '/v1/conversations', {
      participantId: 'ana',
      channel: 'web',
      ...change,
    });
    expect(status).toBe(400);
    expect(headers.get('content-type')).toContain('application/problem+json');
    expect(body.code).toBe('validation_failed');
    expect(new Set(body.errors?.map((error) => error.path))).toEqual(new Set([path]));
  });

  it('merges a patch: title, isActive and members of the metadata', async () => {
    const conversation = await create({ title: 'Old', metadata: { keep: 1, drop: 2, deep: { a: 1, b: 2 } } });
    const { status, body } = await tenant.request<Conversation>('PATCH', pathOf(conversation), {
      title: null,
      isActive: false,
      metadata: { drop: null, deep: { a: null, c: 3 } },
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({ title: null, isActive: false, metadata: { keep: 1, deep: { b: 2, c: 3 } } });
    const again = await tenant.request<Conversation>('PATCH', pathOf(conversation), {
      title: 'New',
      metadata: null,
    });
    expect(again.body).toMatchObject({ title: 'New', isActive: false, metadata: {} });
    expect((await tenant.request('GET', pathOf(conversation))).body).toEqual(again.body);
    expect((await tenant.request('PATCH', pathOf(conversation), {})).body).toEqual(again.body);
  });

  it('accepts a patch as application/merge-patch+json', async () => {
    const conversation = await create();
    const { status, body } = await tenant.request(
      'PATCH',
      pathOf(conversation),
      { title: 'Patched' },
      {
        'content-type': 'application/merge-patch+json',
      },
    );
    expect([status, body['title']]).toEqual([200, 'Patched']);
  });

  it.each([
    { title: 5 },
    { isActive: 'no' },
    { channel: 'sms' },
    { metadata: { $set: {} } },
    { isActive: { $ne: 1 } },
  ])('rejects the patch %j', async (patch) => {
    const conversation = await create();
    const { status, body } = await tenant.request<Problem>('PATCH', pathOf(conversation), patch);
    expect([status, body.code]).toEqual([400, 'validation_failed']);
    expect((await tenant.request('GET', pathOf(conversation))).body).toEqual(conversation);
  });

  it('lists conversations by filters in pages, newest first', async () => {
    const participantId = 'lister';
    const ids: string[] = [];
    for (const channel of ['web', 'sms', 'web']) ids.unshift((await create({ participantId, channel })).id);
    const list = async (query: string): Promise<{ data: Conversation[]; nextCursor: string | null }> => {
      const { status, body } = await tenant.request<{ data: Conversation[]; nextCursor: string | null }>(
        'GET',
        `/v1/conversations?${query}`,
      );
      expect(status).toBe(200);
      return body;
    };
    const idsOf = ({ data }: { data: Conversation[] }): string[] => data.map(({ id }) => id);
    const first = await list(`participantId=${participantId}&limit=2`);
    expect(idsOf(first)).toEqual(ids.slice(0, 2));
    const second = await list(`participantId=${participantId}&limit=2&cursor=${String(first.nextCursor)}`);
    expect([idsOf(second), second.nextCursor]).toEqual([ids.slice(2), null]);
    expect(idsOf(await list(`participantId=${participantId}&channel=sms`))).toEqual([ids[1]]);
    await tenant.request('PATCH', `/v1/conversations/${String(ids[2])}`, { isActive: false });
    expect(idsOf(await list(`participantId=${participantId}&active=false`))).toEqual([ids[2]]);
    expect(idsOf(await list(`participantId=${participantId}&active=true`))).toEqual(ids.slice(0, 2));
    expect(idsOf(await list(`participantId=${participantId}&limit=1`))).toEqual([ids[0]]);
    // The oldest conversation was updated last.
    const recent = await list('order=updated&limit=1');
    expect(idsOf(recent)).toEqual([ids[2]]);
    for (const [order, cursor] of [
      ['created', recent.nextCursor],
      ['updated', first.nextCursor],
    ] as const) {
      const { status, body } = await tenant.request<Problem>(
        'GET',
        `/v1/conversations?order=${order}&cursor=${String(cursor)}`,
      );
      expect([status, body.code]).toEqual([400, 'invalid_cursor']);
    }
  });

  it.each([
    'limit=0',
    'limit=201',
    'limit=ten',
    'active=1',
    'participantId=a&participantId=b',
    'participantId[$gt]=',
    'channel=WEB',
    'order=title',
    'skip=10',
  ])('rejects ?%s', async (query) => {
    const { status, body } = await tenant.request<Problem>('GET', `/v1/conversations?${query}`);
    expect([status, body.code]).toEqual([400, 'validation_failed']);
  });

  it('rejects a cursor that it did not issue', async () => {
    const { status, body } = await tenant.request<Problem>('GET', '/v1/conversations?cursor=nonsense');
    expect([status, body.code]).toEqual([400, 'invalid_cursor']);
  });

  it('erases a conversation with its messages', async () => {
    const conversation = await create();
    await tenant.request('POST', `${pathOf(conversation)}/messages`, {
      messages: [{ role: 'user', content: 'to be forgotten' }],
    });
    const { status, body } = await tenant.request('DELETE', pathOf(conversation));
    expect([status, body]).toEqual([204, undefined]);
    for (const [method, path] of [
      ['GET', ''],
      ['DELETE', ''],
      ['GET', '/messages'],
    ] as const)
      expect((await tenant.request(method, `${pathOf(conversation)}${path}`)).status).toBe(404);
    expect(await app.database.collection('messages').countDocuments({ content: 'to be forgotten' })).toBe(0);
  });

  it.each(['GET', 'PATCH', 'DELETE'])(
    '%s returns 404 for an unknown id and for one of another tenant',
    async (method) => {
      const conversation = await create();
      const body = method === 'PATCH' ? { title: 'x' } : undefined;
      const foreign = await stranger.request<Problem>(method, pathOf(conversation), body);
      const unknown = await tenant.request<Problem>(method, `/v1/conversations/${unknownId}`, body);
      for (const answer of [foreign, unknown]) {
        expect(answer.status).toBe(404);
        expect(answer.body.code).toBe('conversation_not_found');
      }
      expect((await tenant.request('GET', pathOf(conversation))).body).toEqual(conversation);
    },
  );

  it.each(['1', 'x'.repeat(24), unknownId.toUpperCase(), '%7B%24gt%3A1%7D'])(
    'returns 400 for the invalid id %s',
    async (id) => {
      expect((await tenant.request('GET', `/v1/conversations/${id}`)).status).toBe(400);
    },
  );

  it('shows no conversation to another tenant in a list', async () => {
    await create({ participantId: 'private' });
    const { body } = await stranger.request<{ data: unknown[] }>(
      'GET',
      '/v1/conversations?participantId=private',
    );
    expect(body.data).toEqual([]);
  });
});
