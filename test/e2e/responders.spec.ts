import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createTestApp, type TestApp, type TestTenant } from '../support/app.js';

interface ResponderSettings {
  type: string;
  config: Record<string, unknown>;
  secretHints: Record<string, string>;
  isDefault: boolean;
}

interface Problem {
  code: string;
  detail: string;
  conversationId: string;
  messageId: string;
  errors?: { path: string; message: string }[];
}

const secret = 'a-secret-of-some-length';
const MAX_CONCURRENT = 4;

describe('/v1/responder', () => {
  let app: TestApp;
  let tenant: TestTenant;
  let endpoint: Server;
  let url: string;
  let received: string[];
  let answer: (response: ServerResponse) => void;

  beforeAll(async () => {
    app = await createTestApp({
      HTTP_RESPONDER_ATTEMPTS: '1',
      MESSAGE_PROCESSOR_TIMEOUT: '1000',
      RESPONDER_MAX_CONCURRENT: String(MAX_CONCURRENT),
    });
    endpoint = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      request.on('end', () => {
        received.push(body);
        answer(response);
      });
    });
    await new Promise<void>((resolve) => endpoint.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}/`;
  });
  afterAll(async () => {
    await app.close();
    endpoint.closeAllConnections();
    await new Promise((resolve) => endpoint.close(resolve));
  });
  beforeEach(async () => {
    received = [];
    tenant = await app.createTenant();
  });

  const put = (body: object) => tenant.request<ResponderSettings>('PUT', '/v1/responder', body);
  const say = <Body>(content: string, externalId?: string) =>
    tenant.request<Body>('POST', '/v1/messages', {
      participantId: 'ana',
      channel: 'web',
      content,
      ...(externalId !== undefined && { externalId }),
    });

  it('starts with the goal responder, can be changed, and can be reset', async () => {
    const start = await tenant.request<ResponderSettings>('GET', '/v1/responder');
    expect(start.body).toMatchObject({ type: 'goals', isDefault: true, secretHints: {} });
    const changed = await put({ type: 'http', config: { url, secret } });
    expect(changed.status).toBe(200);
    expect(changed.body).toMatchObject({
      type: 'http',
      config: { url, historyLimit: 10 },
      secretHints: { secret: '…ngth' },
      isDefault: false,
    });
    const shown = await tenant.request('GET', '/v1/responder');
    expect(shown.body).toEqual(changed.body);
    expect(JSON.stringify(shown.body)).not.toContain(secret);
    expect((await tenant.request('DELETE', '/v1/responder')).status).toBe(204);
    expect((await tenant.request('GET', '/v1/responder')).body).toEqual(start.body);
  });

  it.each([
    [{ type: 'nonsense', config: {} }, 'type'],
    [{ type: { $gt: '' }, config: {} }, 'type'],
    [{ type: 'http', config: { url: 'nowhere', secret } }, 'config.url'],
    [{ type: 'http', config: { url: 'https://example.com/' } }, 'config.secret'],
    [{ type: 'http', config: { url: 'https://example.com/', secret: { $ne: '' } } }, 'config'],
    [{ type: 'goals', config: { templates: [], fallback: 'x' } }, 'config.templates'],
    [{ type: 'goals', config: { $where: '1' } }, 'config'],
    [{ type: 'goals' }, 'config'],
  ])('rejects %j with a 400 that names the field', async (body, path) => {
    const refused = await tenant.request<Problem>('PUT', '/v1/responder', body);
    expect(refused.status).toBe(400);
    expect(refused.body.errors?.map((error) => error.path)).toContain(path);
    expect((await tenant.request<ResponderSettings>('GET', '/v1/responder')).body.isDefault).toBe(true);
  });

  it('uses the goal templates of the tenant, and does not change those of other tenants', async () => {
    const other = await app.createTenant();
    await put({
      type: 'goals',
      config: {
        templates: [
          {
            type: 'coffee',
            triggers: ['café'],
            slots: [{ name: 'size', kind: 'choice', options: ['small', 'large'], prompt: 'Which size?' }],
            completion: 'One {size} coffee.',
          },
        ],
        fallback: 'Coffee?',
      },
    });
    const replyTo = async (content: string): Promise<string> =>
      (await say<{ reply: { content: string } }>(content)).body.reply.content;
    expect(await replyTo('hello')).toBe('Coffee?');
    expect(await replyTo('a CAFE please')).toBe('Which size? (small, large)');
    expect(await replyTo('Large')).toBe('One large coffee.');
    expect((await other.request<ResponderSettings>('GET', '/v1/responder')).body.isDefault).toBe(true);
  });

  it('stores the message when the endpoint fails, and adds the reply when the message is repeated', async () => {
    await put({ type: 'http', config: { url, secret } });
    answer = (response) => {
      response.writeHead(500).end();
    };
    const failed = await say<Problem>('hi', 'x1');
    expect([failed.status, failed.body.code]).toEqual([502, 'responder_failed']);
    expect(failed.body.detail).toContain('The endpoint responded with 500.');
    const list = `/v1/conversations/${failed.body.conversationId}/messages`;
    const stored = await tenant.request<{ data: { id: string; content: string }[] }>('GET', list);
    expect(stored.body.data).toMatchObject([{ id: failed.body.messageId, content: 'hi' }]);

    answer = (response) => {
      response.end(JSON.stringify({ reply: { content: 'hello' } }));
    };
    const completed = await say<{ message: { id: string }; reply: { content: string; replyTo: string } }>(
      'hi',
      'x1',
    );
    expect(completed.status).toBe(201);
    expect(completed.body.message.id).toBe(failed.body.messageId);
    expect(completed.body.reply).toMatchObject({ content: 'hello', replyTo: failed.body.messageId });
    expect((await tenant.request<{ data: unknown[] }>('GET', list)).body.data).toHaveLength(2);
    expect((await say('hi', 'x1')).status).toBe(200);
  });

  it.each<[string, string | Buffer, RegExp]>([
    ['breaks a limit', JSON.stringify({ reply: { content: 'x'.repeat(65_537) } }), /at most 65536 bytes/],
    ['has a wrong type', '{"reply":{"content":7}}', /reply\.content/],
    [
      'has too many goals',
      JSON.stringify({ reply: null, activeGoals: Array(200).fill({ type: 'a' }) }),
      /Goals/,
    ],
    ['is larger than any reply', 'x'.repeat(300_000), /larger than/],
    ['is not JSON', '<html>', /not JSON/],
    ['is not UTF-8', Buffer.from([0x22, 0xe9, 0x22]), /not valid UTF-8/],
  ])('keeps the message and says why if the reply %s', async (_name, body, reason) => {
    await put({ type: 'http', config: { url, secret } });
    answer = (response) => response.end(body);
    const failed = await say<Problem>('hi', 'x1');
    expect([failed.status, failed.body.code]).toEqual([502, 'responder_failed']);
    expect(failed.body.detail).toMatch(reason);
    expect(failed.body.detail).toContain('The user message is stored');
    const list = `/v1/conversations/${failed.body.conversationId}/messages`;
    const stored = await tenant.request<{ data: object[] }>('GET', list);
    expect(stored.body.data).toMatchObject([{ id: failed.body.messageId, content: 'hi' }]);
  });

  it('passes the metadata of a message to the endpoint, stores and returns it', async () => {
    await put({ type: 'http', config: { url, secret } });
    answer = (response) => response.end('{"reply":null}');
    const metadata = { buttonPayload: 'CONFIRM_42', quoted: 'wamid.1', nothing: null };
    const body = { participantId: 'meta', channel: 'web', content: 'Yes', metadata };
    const { body: processed } = await tenant.request<{
      conversation: { id: string };
      message: { metadata: unknown };
    }>('POST', '/v1/messages', body);
    expect(processed.message.metadata).toEqual(metadata);
    expect(JSON.parse(received.at(-1) ?? '')).toMatchObject({ message: { metadata } });
    const list = `/v1/conversations/${processed.conversation.id}/messages`;
    const stored = await tenant.request<{ data: object[] }>('GET', list);
    expect(stored.body.data).toMatchObject([{ metadata }]);
  });

  it('refuses calls beyond RESPONDER_MAX_CONCURRENT with 503, but stores their messages', async () => {
    await put({ type: 'http', config: { url, secret } });
    const waiting: ServerResponse[] = [];
    const bothCalled = new Promise<void>((resolve) => {
      answer = (response) => {
        if (waiting.push(response) === MAX_CONCURRENT) resolve();
      };
    });
    const send = (participantId: string) =>
      tenant.request<Problem>('POST', '/v1/messages', { participantId, channel: 'web', content: 'hi' });
    const calls = Array.from({ length: MAX_CONCURRENT }, (_, n) => send(`p${n}`));
    await bothCalled;
    const refused = await send('one-too-many');
    expect([refused.status, refused.body.code]).toEqual([503, 'responder_busy']);
    expect(refused.headers.get('retry-after')).toBe('1');
    const list = `/v1/conversations/${refused.body.conversationId}/messages`;
    const stored = await tenant.request<{ data: object[] }>('GET', list);
    expect(stored.body.data).toMatchObject([{ id: refused.body.messageId, content: 'hi' }]);
    waiting.forEach((response) => response.end('{"reply":null}'));
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual(calls.map(() => 201));
  });

  it('returns 504 when the endpoint does not respond in time', async () => {
    await put({ type: 'http', config: { url, secret } });
    answer = () => undefined;
    const { status, body } = await say<Problem>('hi', 'x1');
    expect([status, body.code]).toEqual([504, 'responder_timeout']);
    expect(body.messageId).toMatch(/^[0-9a-f]{24}$/);
  });

  it('does not let a tenant call private addresses unless this is allowed', async () => {
    const closed = await createTestApp({ HTTP_RESPONDER_ALLOW_PRIVATE: 'false' });
    try {
      const guarded = await closed.createTenant();
      const refused = await guarded.request<Problem>('PUT', '/v1/responder', {
        type: 'http',
        config: { url, secret },
      });
      expect([refused.status, refused.body.errors?.[0]?.path]).toEqual([400, 'config.url']);
      const named = { type: 'http', config: { url: url.replace('127.0.0.1', 'localhost'), secret } };
      expect((await guarded.request('PUT', '/v1/responder', named)).status).toBe(400);
    } finally {
      await closed.close();
    }
  });
});
