import { createTestApp, type TestApp, type TestTenant } from '../support/app.js';

interface Message {
  id: string;
  seq: number;
  role: string;
  content: string;
  [field: string]: unknown;
}

interface MessagePage {
  data: Message[];
  nextCursor: string | null;
}

interface Problem {
  code: string;
  detail: string;
  errors?: { path: string; message: string }[];
  [member: string]: unknown;
}

interface Processed {
  conversation: { id: string; [field: string]: unknown };
  message: Message;
  reply: Message | null;
  session: { version: number; activeGoals: { type: string; status: string; slots: object }[] };
}

const attachment = {
  type: 'image',
  url: 'https://cdn.example.com/a.png',
  name: 'a.png',
  mime: 'image/png',
  size: 12,
};

describe('messages', () => {
  let app: TestApp;
  let tenant: TestTenant;
  let stranger: TestTenant;
  let path: string;
  let conversationId: string;

  beforeAll(async () => {
    app = await createTestApp();
    stranger = await app.createTenant();
  });
  afterAll(() => app.close());
  beforeEach(async () => {
    tenant = await app.createTenant();
    const { body } = await tenant.request<{ id: string }>('POST', '/v1/conversations', {
      participantId: 'ana',
      channel: 'web',
    });
    conversationId = body.id;
    path = `/v1/conversations/${conversationId}/messages`;
  });

  const append = (...messages: object[]) => tenant.request<{ data: Message[] }>('POST', path, { messages });
  const contentsOf = ({ data }: MessagePage): string[] => data.map(({ content }) => content);

  describe('POST /v1/conversations/:id/messages', () => {
    it('stores messages in order and returns them', async () => {
      const { status, body } = await append(
        {
          role: 'user',
          content: 'héllo 👋',
          attachments: [attachment],
          externalId: 'x1',
          metadata: { a: 1 },
        },
        { role: 'assistant', content: 'hi' },
        { role: 'system', content: 'note' },
        { role: 'tool', content: '{"ok":true}' },
      );
      expect(status).toBe(201);
      expect(body.data.map(({ seq, role }) => [seq, role])).toEqual([
        [1, 'user'],
        [2, 'assistant'],
        [3, 'system'],
        [4, 'tool'],
      ]);
      expect(body.data[0]).toEqual({
        id: expect.stringMatching(/^[0-9a-f]{24}$/),
        conversationId,
        seq: 1,
        role: 'user',
        content: 'héllo 👋',
        attachments: [attachment],
        externalId: 'x1',
        metadata: { a: 1 },
        replyTo: null,
        timestamp: expect.stringMatching(/Z$/),
      });
      expect((await tenant.request<MessagePage>('GET', path)).body).toEqual({
        data: body.data,
        nextCursor: null,
      });
      const conversation = await tenant.request('GET', `/v1/conversations/${conversationId}`);
      expect(conversation.body).toMatchObject({
        messageCount: 4,
        lastSeq: 4,
        lastMessageAt: body.data[0]?.['timestamp'],
      });
    });

    it('returns 200 with the stored messages when all of them are known', async () => {
      const message = { role: 'user', content: 'a', externalId: 'x1', metadata: { a: { b: 1, c: 2 } } };
      const first = await append(message);
      const again = await append({ ...message, attachments: null, metadata: { a: { c: 2, b: 1 } } });
      expect([again.status, again.body]).toEqual([200, first.body]);
    });

    it.each([
      ['role', { role: 'assistant' }],
      ['content', { content: 'b' }],
      ['attachments', { attachments: [{ ...attachment, name: 'another' }] }],
      ['metadata', { metadata: { a: 2 } }],
    ])('returns 409 for a known externalId with another %s, and stores nothing', async (_what, change) => {
      const message = {
        role: 'user',
        content: 'a',
        externalId: 'x1',
        attachments: [attachment],
        metadata: { a: 1 },
      };
      const first = await append(message);
      const again = await append({ role: 'user', content: 'new' }, { ...message, ...change });
      expect(again).toMatchObject({
        status: 409,
        body: {
          code: 'external_id_in_use',
          externalId: 'x1',
          conversationId,
          messageId: first.body.data[0]?.['id'],
        },
      });
      expect((await tenant.request<MessagePage>('GET', path)).body.data).toEqual(first.body.data);
      expect((await append(message)).status).toBe(200);
    });

    it.each([
      ['edited', 'PATCH', { content: 'corrected' }],
      ['deleted', 'DELETE', undefined],
    ])('returns the message when it is sent again after it was %s', async (_what, method, edit) => {
      const message = { role: 'user', content: 'a', externalId: 'x1' };
      const id = String((await append(message)).body.data[0]?.['id']);
      await tenant.request(method, `${path}/${id}`, edit);
      expect(await append(message)).toMatchObject({ status: 200, body: { data: [{ id }] } });
      expect((await append({ ...message, role: 'assistant' })).status).toBe(409);
    });

    it('accepts 64 KiB of content and 20 attachments', async () => {
      const content = 'x'.repeat(65_536);
      const { status, body } = await append({
        role: 'user',
        content,
        attachments: Array.from({ length: 20 }, () => attachment),
      });
      expect(status).toBe(201);
      expect(body.data[0]?.content).toBe(content);
    });

    it.each([
      [
        'content',
        [{ role: 'user', content: 'x'.repeat(65_537) }],
        'messages.0.content: must be at most 65536 bytes',
      ],
      [
        'bytes, not characters',
        [{ role: 'user', content: '€'.repeat(21_846) }],
        'must be at most 65536 bytes',
      ],
      [
        'messages',
        Array.from({ length: 101 }, () => ({ role: 'user', content: 'x' })),
        'must contain at most 100 messages',
      ],
      ['no messages', [], 'must contain at least one message'],
      [
        'attachments',
        [{ role: 'user', content: 'x', attachments: Array.from({ length: 21 }, () => attachment) }],
        'must contain at most 20 attachments',
      ],
      [
        'metadata',
        [{ role: 'user', content: 'x', metadata: { a: 'x'.repeat(8192) } }],
        'must be at most 8192 bytes',
      ],
      ['an operator for content', [{ role: 'user', content: { $gt: '' } }], 'messages.0.content'],
      [
        'an operator for externalId',
        [{ role: 'user', content: 'x', externalId: { $gt: '' } }],
        'messages.0.externalId',
      ],
      ['an operator for role', [{ role: { $ne: null }, content: 'x' }], 'messages.0.role'],
      ['an unknown role', [{ role: 'bot', content: 'x' }], 'messages.0.role'],
      ['an unknown field', [{ role: 'user', content: 'x', seq: 7 }], 'seq'],
      [
        'the same externalId twice',
        [
          { role: 'user', content: 'x', externalId: 'a' },
          { role: 'user', content: 'y', externalId: 'a' },
        ],
        'messages.1.externalId: must not be used twice',
      ],
      ['a bad one among good ones', [{ role: 'user', content: 'x' }, { role: 'user' }], 'messages.1.content'],
    ])('rejects %s beyond the limits and stores nothing', async (_name, messages, expected) => {
      const { status, body } = await tenant.request<Problem>('POST', path, { messages });
      expect([status, body.code]).toEqual([400, 'validation_failed']);
      expect(body.detail).toContain(expected);
      expect((await tenant.request<MessagePage>('GET', path)).body.data).toEqual([]);
    });

    it('rejects very deeply nested JSON without crashing', async () => {
      const deep = `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`;
      const response = await fetch(`${app.url}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json' },
        body: `{"messages":[{"role":"user","content":"x","metadata":${deep}}]}`,
      });
      expect(response.status).toBe(400);
    });

    it('returns 409 for an externalId of another conversation, naming it', async () => {
      await append({ role: 'user', content: 'a', externalId: 'x1' });
      const other = await tenant.request<{ id: string }>('POST', '/v1/conversations', {
        participantId: 'ana',
        channel: 'web',
      });
      const { status, body } = await tenant.request<Problem>(
        'POST',
        `/v1/conversations/${other.body.id}/messages`,
        {
          messages: [{ role: 'user', content: 'a', externalId: 'x1' }],
        },
      );
      expect([status, body.code, body['conversationId']]).toEqual([
        409,
        'external_id_in_use',
        conversationId,
      ]);
    });

    it('returns 409 when the conversation is closed', async () => {
      await tenant.request('PATCH', `/v1/conversations/${conversationId}`, { isActive: false });
      const { status, body } = await append({ role: 'user', content: 'a' });
      expect([status, (body as unknown as Problem).code]).toEqual([409, 'conversation_closed']);
    });
  });

  describe('GET /v1/conversations/:id/messages', () => {
    beforeEach(async () => {
      await append(
        ...Array.from({ length: 7 }, (_, index) => ({ role: 'user', content: String(index + 1) })),
      );
    });
    const list = async (query: string): Promise<MessagePage> =>
      (await tenant.request<MessagePage>('GET', `${path}?${query}`)).body;

    it('pages forward by cursor and by afterSeq', async () => {
      const first = await list('limit=3');
      expect(contentsOf(first)).toEqual(['1', '2', '3']);
      expect(contentsOf(await list(`limit=3&cursor=${String(first.nextCursor)}`))).toEqual(['4', '5', '6']);
      expect(await list('limit=3&afterSeq=6')).toMatchObject({ data: [{ content: '7' }], nextCursor: null });
      expect(contentsOf(await list('afterSeq=2&beforeSeq=5'))).toEqual(['3', '4']);
    });

    it('returns the last messages before beforeSeq in ascending order, and pages backward', async () => {
      const page = await list('limit=2&beforeSeq=6');
      expect(contentsOf(page)).toEqual(['4', '5']);
      expect(contentsOf(await list(`limit=2&beforeSeq=6&cursor=${String(page.nextCursor)}`))).toEqual([
        '2',
        '3',
      ]);
    });

    it.each(['limit=201', 'afterSeq=-1', 'afterSeq=x', 'beforeSeq[$gt]=1', 'cursor=zzz'])(
      'rejects ?%s',
      async (query) => {
        expect((await tenant.request('GET', `${path}?${query}`)).status).toBe(400);
      },
    );

    it('returns 404 to another tenant for reads and writes', async () => {
      expect((await stranger.request('GET', path)).status).toBe(404);
      const write = await stranger.request('POST', path, { messages: [{ role: 'user', content: 'x' }] });
      expect(write.status).toBe(404);
      expect((await list('limit=50')).data).toHaveLength(7);
    });
  });

  describe('GET /v1/messages', () => {
    const list = async (query: string): Promise<MessagePage> => {
      const { status, body } = await tenant.request<MessagePage>('GET', `/v1/messages?${query}`);
      expect(status).toBe(200);
      return body;
    };

    it('returns the messages of all conversations of this tenant only, newest first, in pages', async () => {
      await append(
        { role: 'user', content: 'a' },
        { role: 'assistant', content: 'b' },
        { role: 'user', content: 'c' },
      );
      const page = await list('limit=2');
      expect(contentsOf(page)).toEqual(['c', 'b']);
      expect(contentsOf(await list(`limit=2&cursor=${String(page.nextCursor)}`))).toEqual(['a']);
      expect(contentsOf(await list('role=assistant'))).toEqual(['b']);
    });

    it('filters by since (inclusive) and until (exclusive)', async () => {
      const { body } = await append({ role: 'user', content: 'a' });
      const at = String(body.data[0]?.['timestamp']);
      expect(contentsOf(await list(`since=${at}`))).toEqual(['a']);
      expect(contentsOf(await list(`until=${at}`))).toEqual([]);
      expect(contentsOf(await list('since=2000-01-01T00:00:00Z&until=2000-01-02T00:00:00Z'))).toEqual([]);
    });

    it.each(['role=bot', 'role[$ne]=user', 'since=yesterday', 'since[$gt]=', 'limit=0', 'cursor=zzz'])(
      'rejects ?%s',
      async (query) => {
        expect((await tenant.request('GET', `/v1/messages?${query}`)).status).toBe(400);
      },
    );
  });

  describe('POST /v1/messages', () => {
    const say = (content: string, more: object = {}) =>
      tenant.request<Processed>('POST', '/v1/messages', {
        participantId: '+15550100',
        channel: 'whatsapp',
        content,
        ...more,
      });

    it('conducts a booking conversation in which the goal is filled slot by slot', async () => {
      const first = await say('Hi, I would like to book a table');
      expect(first.status).toBe(201);
      expect(first.body.reply?.content).toBe('For how many people?');
      expect((await say('4')).body.reply?.content).toBe('On which day?');
      expect((await say('2030-05-14')).body.reply?.content).toBe('At what time?');
      const last = await say('7pm', { externalId: 'wamid.4' });
      expect(last.body).toEqual({
        conversation: expect.objectContaining({
          id: first.body.conversation.id,
          participantId: '+15550100',
          channel: 'whatsapp',
          isActive: true,
          messageCount: 8,
          lastSeq: 8,
        }),
        message: expect.objectContaining({ seq: 7, role: 'user', content: '7pm', externalId: 'wamid.4' }),
        reply: expect.objectContaining({
          seq: 8,
          role: 'assistant',
          content: 'Thank you! A table for 4 on 2030-05-14 at 19:00 is noted.',
          replyTo: last.body.message.id,
        }),
        session: expect.objectContaining({
          participantId: '+15550100',
          version: 4,
          conversationId: first.body.conversation.id,
          activeGoals: [
            expect.objectContaining({
              type: 'table_booking',
              status: 'completed',
              slots: { partySize: 4, date: '2030-05-14', time: '19:00' },
            }),
          ],
        }),
      });
      const stored = await tenant.request<MessagePage>(
        'GET',
        `/v1/conversations/${first.body.conversation.id}/messages`,
      );
      expect(stored.body.data.map(({ seq, role }) => `${seq} ${role}`)).toEqual([
        '1 user',
        '2 assistant',
        '3 user',
        '4 assistant',
        '5 user',
        '6 assistant',
        '7 user',
        '8 assistant',
      ]);
      const again = await say('7pm', { externalId: 'wamid.4' });
      expect(again.status).toBe(200);
      expect(again.body).toEqual(last.body);
    });

    it.each([
      ['content', { content: 'no' }],
      ['attachments', { attachments: [{ type: 'image', url: 'https://example.com/1.png' }] }],
      ['metadata', { metadata: { button: 'no' } }],
    ])('returns 409 for a known externalId with other %s, and stores nothing', async (_what, change) => {
      const first = await say('yes', { externalId: 'wamid.1' });
      expect(await say('yes', { externalId: 'wamid.1', ...change })).toMatchObject({
        status: 409,
        body: { code: 'external_id_in_use', messageId: first.body.message.id },
      });
      expect((await say('yes', { externalId: 'wamid.1', metadata: {} })).body).toEqual(first.body);
    });

    it('stores one of several different messages that are sent at once with one externalId', async () => {
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, n) => say(`message ${n}`, { externalId: 'wamid.1' })),
      );
      expect(answers.map(({ status }) => status).toSorted()).toEqual([201, ...Array<number>(9).fill(409)]);
      const accepted = answers.find(({ status }) => status === 201);
      const stored = await tenant.request<MessagePage>('GET', '/v1/messages?externalId=wamid.1');
      expect(stored.body.data.map(({ id }) => id)).toEqual([accepted?.body.message.id]);
    });

    it('returns the reply when a message is sent again after it was edited', async () => {
      const { body } = await say('yes', { externalId: 'wamid.1' });
      const path = `/v1/conversations/${body.conversation.id}/messages/${body.message.id}`;
      expect((await tenant.request('PATCH', path, { content: 'Yes.' })).status).toBe(200);
      const again = await say('yes', { externalId: 'wamid.1' });
      expect([again.status, again.body.reply]).toEqual([200, body.reply]);
    });

    it.each([
      [{ participantId: { $gt: '' } }, 'participantId'],
      [{ channel: { $ne: 'web' } }, 'channel'],
      [{ content: { $regex: '.*' } }, 'content'],
      [{ externalId: { $exists: true } }, 'externalId'],
      [{ content: 'x'.repeat(65_537) }, 'content'],
      [{ content: '' }, 'content'],
      [{ attachments: Array.from({ length: 21 }, () => attachment) }, 'attachments'],
      [{ role: 'assistant' }, ''],
    ])('rejects %# with a 400 that names the field, and stores nothing', async (change, field) => {
      const { status, body } = await tenant.request<Problem>('POST', '/v1/messages', {
        participantId: 'ana',
        channel: 'web',
        content: 'x',
        ...change,
      });
      expect([status, body.errors?.[0]?.path]).toEqual([400, field]);
      expect((await tenant.request<MessagePage>('GET', '/v1/messages')).body.data).toEqual([]);
    });
  });
});
