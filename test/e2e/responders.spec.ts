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

describe('/v1/responder', () => {
  let app: TestApp;
  let tenant: TestTenant;
  let endpoint: Server;
  let url: string;
  let answer: (response: ServerResponse) => void;

  beforeAll(async () => {
    app = await createTestApp({ HTTP_RESPONDER_ATTEMPTS: '1', MESSAGE_PROCESSOR_TIMEOUT: '1000' });
    endpoint = createServer((request, response) => {
      request.resume().on('end', () => {
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
