import { once } from 'node:events';
import { connect } from 'node:net';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { createTestApp, type TestApp, type TestTenant } from '../support/app.js';
import { eventually } from '../support/eventually.js';

interface OpenApiResponse {
  description: string;
  content?: Record<string, { schema: { $ref?: string } }>;
}

interface OpenApiDocument {
  paths: Record<string, Record<string, { security?: unknown[]; responses: Record<string, OpenApiResponse> }>>;
  components: { schemas: Record<string, { required?: string[] }>; securitySchemes: Record<string, object> };
}

describe('HTTP edge cases', () => {
  let app: TestApp;
  let tenant: TestTenant;

  beforeAll(async () => {
    app = await createTestApp();
    tenant = await app.createTenant();
  });
  afterAll(() => app.close());

  /** Sends these bytes and returns the response received until the server closes the connection. */
  const sendRaw = (bytes: string): Promise<{ head: string; body: Record<string, unknown> }> =>
    new Promise((resolve, reject) => {
      const socket = connect(Number(new URL(app.url).port), '127.0.0.1', () => socket.write(bytes));
      let answer = '';
      socket.setEncoding('utf8');
      socket.on('data', (text: string) => (answer += text));
      socket.on('error', reject);
      socket.on('close', () => {
        const [head = '', body = ''] = answer.split('\r\n\r\n', 2);
        resolve({ head, body: JSON.parse(body) as Record<string, unknown> });
      });
    });

  const sendJson = (method: 'POST' | 'GET' | 'DELETE' | 'PATCH', url: string, payload = '', type = 'json') =>
    app.inject({
      method,
      url,
      payload,
      headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': `application/${type}` },
    });

  it('redirects a browser that opens the root URL to the API documentation', async () => {
    const { statusCode, headers } = await app.inject({ method: 'GET', url: '/' });
    expect({ statusCode, location: headers.location }).toEqual({ statusCode: 302, location: '/docs' });
    expect((await app.inject({ method: 'GET', url: '/docs' })).statusCode).toBe(200);
  });

  describe('headers', () => {
    const ofApi = {
      'cache-control': 'no-store',
      'content-security-policy': "frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
    };
    const ofTransport = ['connection', 'content-length', 'date'];

    it.each([
      ['a response', '/v1/tenant', 200, 'application/json; charset=utf-8'],
      ['a problem', '/v1/conversations/unknown', 400, 'application/problem+json; charset=utf-8'],
      ['a path that no route serves', '/documents', 404, 'application/problem+json; charset=utf-8'],
    ])('of %s are those suited to a REST API and no others', async (_what, url, status, type) => {
      const response = await app.inject({
        method: 'GET',
        url,
        headers: { authorization: `Bearer ${tenant.apiKey}` },
      });
      expect(response.statusCode).toBe(status);
      expect(response.headers).toMatchObject({ ...ofApi, 'content-type': type });
      const rest = Object.keys(response.headers).filter((name) => !(name in ofApi));
      expect(rest.toSorted()).toEqual([...ofTransport, 'content-type', 'x-request-id'].toSorted());
    });

    it.each(['/docs', '/admin/login', '/admin/queues', '/%61dmin/login'])(
      'of the page %s include all helmet headers',
      async (url) => {
        const { headers } = await app.inject({ method: 'GET', url, headers: { accept: 'text/html' } });
        expect(headers['content-security-policy']).toContain("default-src 'self'");
        expect(headers).toMatchObject({
          'x-frame-options': 'SAMEORIGIN',
          'cross-origin-opener-policy': 'same-origin',
        });
      },
    );
  });

  describe('errors before routing', () => {
    it.each([
      ['a badly encoded URL', '/v1/conversations/%E0%A4%A', 400, 'bad_request'],
      ['an over-long path parameter', `/v1/conversations/${'a'.repeat(9000)}`, 414, 'uri_too_long'],
    ])('%s returns a problem document with the request id', async (_what, url, status, code) => {
      const response = await app.inject({ method: 'GET', url, headers: { 'x-request-id': 'edge-1' } });
      expect(response.statusCode).toBe(status);
      expect(response.headers['content-type']).toContain('application/problem+json');
      expect(response.headers['x-request-id']).toBe('edge-1');
      expect(response.headers['x-content-type-options']).toBe('nosniff');
      expect(response.json()).toMatchObject({ status, code, requestId: 'edge-1' });
    });

    it.each([
      ['headers of 20 kB', `GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
      ['a malformed request line', 'THIS IS NOT HTTP\r\n\r\n', 400],
    ])('%s returns a problem document', async (_what, bytes, status) => {
      const { head, body } = await sendRaw(bytes);
      expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
      expect(head).toContain('application/problem+json');
      expect(body).toMatchObject({
        status,
        code: status === 431 ? 'headers_too_large' : 'malformed_request',
      });
    });
  });

  describe('query strings and paths', () => {
    it.each(['?participantId=%ff', '?limit=1&participantId=%C3%28', '?participantId=100%', '?%E0%A4%A=1'])(
      'that are not UTF-8 are refused: %s',
      async (query) => {
        expect(await tenant.request('GET', `/v1/conversations${query}`)).toMatchObject({
          status: 400,
          body: { code: 'invalid_encoding', requestId: expect.any(String) as string },
        });
      },
    );

    it.each(['%ff', 'a%C3%28', 'a%'])('that are not UTF-8 are refused: %s in a path', async (id) => {
      const response = await app.inject({
        method: 'GET',
        url: `/v1/sessions/${id}`,
        headers: { authorization: `Bearer ${tenant.apiKey}` },
      });
      expect(response.json()).toMatchObject({ status: 400, code: 'bad_request' });
    });

    it('are decoded if they are UTF-8', async () => {
      const participantId = 'Zoë + 100% 👋';
      await tenant.request('POST', '/v1/conversations', { participantId, channel: 'web' });
      const query = `?participantId=${encodeURIComponent(participantId)}`;
      expect(await tenant.request('GET', `/v1/conversations${query}`)).toMatchObject({
        body: { data: [{ participantId }] },
      });
    });
  });

  describe('JSON bodies', () => {
    const body = JSON.stringify({ participantId: 'ana', channel: 'web', title: 'naïve' });

    it.each(['json; charset=iso-8859-1', 'json;charset="UTF-16"', 'json; a=b; charset=utf-7; charset=utf-8'])(
      'are refused with the content type application/%s',
      async (type) => {
        const response = await sendJson('POST', '/v1/conversations', body, type);
        expect(response.json()).toMatchObject({ status: 415, code: 'unsupported_charset' });
      },
    );

    it.each(['json; charset=utf-8', 'json;charset="UTF-8"', 'json; Charset=Utf8', 'json; charset=us-ascii'])(
      'are read with the content type application/%s',
      async (type) => {
        const response = await sendJson('POST', '/v1/conversations', body, type);
        expect(response.json()).toMatchObject({ title: 'naïve' });
      },
    );

    it('treats an empty body as no body', async () => {
      const created = await tenant.request<{ id: string }>('POST', '/v1/conversations', {
        participantId: 'ana',
        channel: 'web',
      });
      expect((await sendJson('GET', `/v1/conversations/${created.body.id}`)).statusCode).toBe(200);
      expect((await sendJson('DELETE', `/v1/conversations/${created.body.id}`)).statusCode).toBeLessThan(300);
    });

    it('fails validation for an empty body if fields are required', async () => {
      const response = await sendJson('POST', '/v1/conversations');
      expect(response.json()).toMatchObject({ status: 400, code: 'validation_failed' });
    });

    it.each(['json', 'merge-patch+json'])(
      'explains why a body of application/%s is malformed',
      async (type) => {
        const method = type === 'json' ? 'POST' : 'PATCH';
        const url = type === 'json' ? '/v1/conversations' : '/v1/conversations/6740a1b2c3d4e5f601234567';
        const response = await sendJson(method, url, '{"a":', type);
        expect(response.json()).toMatchObject({
          status: 400,
          code: 'invalid_json',
          detail: expect.stringContaining('Unexpected end of JSON input') as string,
        });
      },
    );

    it.each([
      ['the key of the prototype', '{"a":{"__proto__":{"b":1}}}', 400, 'forbidden_key'],
      ['a number that is rounded', '{"metadata":{"orderId":820982911946154508}}', 400, 'number_not_exact'],
      ['a number that is infinite', '{"metadata":{"orderId":1e400}}', 400, 'number_not_exact'],
      ['half of a surrogate pair', '{"metadata":{"k":"cut \\ud83d"}}', 400, 'lone_surrogate'],
      ['half of a surrogate pair in a key', '{"metadata":{"cut \\ud83d":1}}', 400, 'lone_surrogate'],
      ['a key that occurs twice', '{"metadata":{"k":1,"k":2}}', 400, 'duplicate_key'],
      ['many levels', `{"metadata":${'['.repeat(100)}${']'.repeat(100)}}`, 400, 'json_too_deep'],
      ['very many values', `{"metadata":{"a":[${Array(20_000).fill('{}').join()}]}}`, 413, 'too_many_values'],
    ])('rejects %s', async (_what, text, status, code) => {
      const response = await sendJson('POST', '/v1/conversations', text);
      expect(response.json()).toMatchObject({ status, code });
      expect(response.body.length).toBeLessThan(600);
    });

    it.each([
      ['an unknown key', { ['k'.repeat(100_000)]: 1 }],
      ['many unknown keys', Object.fromEntries(Array.from({ length: 9_000 }, (_, n) => [`key${n}`, n]))],
      ['many wrong messages', { messages: Array(100).fill({ role: 'x'.repeat(10_000) }) }],
    ])('repeats little of a body that it rejects: %s', async (_what, value) => {
      const url = '/v1/conversations/6740a1b2c3d4e5f601234567/messages';
      const response = await sendJson('POST', url, JSON.stringify(value));
      expect(response.json()).toMatchObject({ status: 400, code: 'validation_failed' });
      expect(response.body.length).toBeLessThan(8000);
    });

    it('says where a number is, and what to send instead', async () => {
      const response = await sendJson(
        'POST',
        '/v1/conversations',
        '{"metadata":{"orderId":820982911946154508}}',
      );
      expect(response.json<{ detail: string }>().detail).toMatch(/"metadata\.orderId".*send it as a string/);
    });

    it('rejects a body that is not UTF-8', async () => {
      const response = await app.inject({
        method: 'POST',
        url: '/v1/conversations',
        payload: Buffer.from('{"title":"Caf\u00e9"}', 'latin1'),
        headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json' },
      });
      expect(response.json()).toMatchObject({ status: 400, code: 'invalid_encoding' });
    });

    it('accepts a byte order mark', async () => {
      const response = await sendJson(
        'POST',
        '/v1/conversations',
        '\uFEFF{"participantId":"ana","channel":"web"}',
      );
      expect(response.statusCode).toBe(201);
    });

    it('accepts 100 messages with 20,000 values, and not more', async () => {
      const { body } = await tenant.request<{ id: string }>('POST', '/v1/conversations', {
        participantId: 'ana',
        channel: 'web',
      });
      const append = async (count: number): Promise<number> => {
        const metadata = { a: Array<number>(count).fill(1) };
        const messages = Array(100).fill({ role: 'user', content: 'x', metadata }) as unknown[];
        return (await tenant.request('POST', `/v1/conversations/${body.id}/messages`, { messages })).status;
      };
      expect([await append(190), await append(200)]).toEqual([201, 413]);
    });
  });

  it('accepts ids of any script, percent-encoded, in a path', async () => {
    const id = '한'.repeat(128);
    const path = `/v1/sessions/${encodeURIComponent(id)}`;
    await tenant.request('PATCH', path, { context: { a: 1 } });
    const { status, body } = await tenant.request('GET', path);
    expect({ status, id: body['participantId'] }).toEqual({ status: 200, id });
  });

  describe('compressed bodies', () => {
    const sendCompressed = (encoding: string, payload: Buffer) =>
      app.inject({
        method: 'POST',
        url: '/v1/conversations',
        payload,
        headers: {
          authorization: `Bearer ${tenant.apiKey}`,
          'content-type': 'application/json',
          'content-encoding': encoding,
        },
      });
    const body = JSON.stringify({ participantId: 'ana', channel: 'web', title: 'Größe 😀' });

    it.each([
      ['gzip', gzipSync(body)],
      ['GZIP', gzipSync(body)],
      ['deflate', deflateSync(body)],
      ['br', brotliCompressSync(body)],
      ['identity', Buffer.from(body)],
    ])('are read: %s', async (encoding, payload) => {
      const response = await sendCompressed(encoding, payload);
      expect(response.statusCode).toBe(201);
      expect(response.json()).toMatchObject({ title: 'Größe 😀' });
    });

    it.each([
      ['of an unknown encoding', 'zstd', Buffer.from(body), 415, 'unsupported_encoding'],
      ['of several encodings', 'gzip, br', gzipSync(body), 415, 'unsupported_encoding'],
      ['named like a member of every object', 'constructor', gzipSync(body), 415, 'unsupported_encoding'],
      ['that are not compressed', 'gzip', Buffer.from(body), 400, 'invalid_compression'],
      ['that are cut off', 'gzip', gzipSync(body).subarray(0, 40), 400, 'invalid_compression'],
      ['that become too large', 'gzip', gzipSync(Buffer.alloc(20_000_000, ' ')), 413, 'payload_too_large'],
      ['that become far too large', 'br', brotliCompressSync(Buffer.alloc(1e8)), 413, 'payload_too_large'],
    ])('are rejected if they are %s', async (_what, encoding, payload, status, code) => {
      const response = await sendCompressed(encoding, payload);
      expect(response.json()).toMatchObject({ status, code });
    });
  });

  describe('bodies that nobody reads', () => {
    const key = (): string => `Authorization: Bearer ${tenant.apiKey}\r\n`;
    const compressed = 'Host: x\r\nConnection: close\r\nContent-Encoding: gzip\r\n';
    const text = 'Content-Type: text/plain\r\nContent-Length: 4\r\n\r\nabcd';

    it.each([
      ['a public route', () => `GET /health/live HTTP/1.1\r\n${compressed}\r\n`, 200],
      ['a public route, with a body', () => `GET /health/live HTTP/1.1\r\n${compressed}${text}`, 200],
      ['an unknown route', () => `GET /v1/nowhere HTTP/1.1\r\n${compressed}${key()}\r\n`, 404],
      ['a list', () => `GET /v1/conversations HTTP/1.1\r\n${compressed}${key()}${text}`, 200],
      ['a write without a body', () => `POST /v1/messages HTTP/1.1\r\n${compressed}${key()}\r\n`, 400],
      ['a write of another type', () => `POST /v1/messages HTTP/1.1\r\n${compressed}${key()}${text}`, 415],
    ])('may say that they are compressed: %s', async (_what, bytes, status) => {
      const { head } = await sendRaw(bytes());
      expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
      expect((await app.inject({ method: 'GET', url: '/health/live' })).statusCode).toBe(200);
    });
  });

  describe('large bodies of one tenant', () => {
    /** Announces a body of 16 MiB, and returns the first line of the response: whether it may be sent. */
    const announce = async () => {
      const socket = connect(Number(new URL(app.url).port), '127.0.0.1');
      socket.write(
        `POST /v1/conversations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${tenant.apiKey}\r\n` +
          'Content-Type: application/json\r\nContent-Length: 16777216\r\nExpect: 100-continue\r\n\r\n',
      );
      const [data] = (await once(socket, 'data')) as [Buffer];
      return { socket, response: data.toString() };
    };

    it('are refused while 128 MiB of them are in progress', async () => {
      const announced = await Promise.all(Array.from({ length: 8 }, announce));
      expect(announced.map(({ response }) => response.split('\r\n', 1)[0])).toEqual(
        Array(8).fill('HTTP/1.1 100 Continue'),
      );
      const refused = await announce();
      expect(refused.response).toMatch(/^HTTP\/1.1 503 [^]*"too_many_large_bodies"/);
      announced[0]?.socket.destroy();
      await eventually(async () => {
        const { socket, response } = await announce();
        socket.destroy();
        return response.startsWith('HTTP/1.1 100 ');
      });
      for (const { socket } of [refused, ...announced]) socket.destroy();
    });
  });

  describe('requests whose body is not complete', () => {
    const head = (path: string, key: string) =>
      `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9000000\r\n` +
      `Connection: close\r\n${key}\r\n{"participantId":`;

    it.each([
      ['without a key', '/v1/conversations', '', 401, 'api_key_missing'],
      ['with an unknown key', '/v1/messages', 'Authorization: Bearer ck_guess\r\n', 401, 'api_key_invalid'],
      ['to an unknown route', '/v1/nowhere', '', 404, 'route_not_found'],
    ])('are answered %s', async (_what, path, key, status, code) => {
      expect((await sendRaw(head(path, key))).body).toMatchObject({ status, code });
    });

    it('are answered with the key of another kind', async () => {
      const { body } = await sendRaw(head('/v1/tenants', `Authorization: Bearer ${tenant.apiKey}\r\n`));
      expect(body).toMatchObject({ status: 403, code: 'admin_key_required' });
    });
  });

  describe('requests that expect 100 Continue', () => {
    const body = JSON.stringify({ participantId: 'ana', channel: 'web' });
    const head = (headers: Record<string, string> = {}, path = '/v1/conversations') =>
      Object.entries({
        Host: 'x',
        Authorization: `Bearer ${tenant.apiKey}`,
        'Content-Type': 'application/json',
        'Content-Length': `${body.length}`,
        Expect: '100-continue',
        ...headers,
      }).reduce((text, [name, value]) => `${text}${name}: ${value}\r\n`, `POST ${path} HTTP/1.1\r\n`) +
      '\r\n';

    it('are told to continue when their headers are accepted, and keep their connection', async () => {
      const socket = connect(Number(new URL(app.url).port), '127.0.0.1');
      let answer = '';
      socket.setEncoding('utf8');
      const received = (text: string): Promise<void> =>
        new Promise((resolve, reject) => {
          const check = (): void => {
            if (!answer.includes(text)) return;
            socket.off('data', check);
            resolve();
          };
          socket.on('data', check);
          socket.once('close', () => reject(new Error(`closed after ${answer}`)));
        });
      socket.on('data', (text: string) => (answer += text));
      for (let n = 0; n < 2; n++) {
        answer = '';
        socket.write(head());
        await received('HTTP/1.1 100 Continue\r\n\r\n');
        expect(answer).toBe('HTTP/1.1 100 Continue\r\n\r\n');
        socket.write(body);
        await received('"participantId":"ana"');
        expect(answer).toContain('HTTP/1.1 201 Created');
      }
      socket.destroy();
    });

    it.each([
      ['without a valid key', { Authorization: 'Bearer ck_guess' }, '/v1/conversations', 401],
      ['to a route that does not exist', {}, '/v1/nowhere', 404],
      ['with a body that is not JSON', { 'Content-Type': 'text/plain' }, '/v1/conversations', 415],
      ['with another charset', { 'Content-Type': 'application/json; charset=utf-16' }, '/v1/messages', 415],
      ['with an unknown encoding', { 'Content-Encoding': 'zstd' }, '/v1/messages', 415],
      ['with a body that is too large', { 'Content-Length': '900000000' }, '/v1/conversations', 413],
      ['with another expectation', { Expect: 'a-miracle' }, '/v1/conversations', 417],
    ])('are refused without it, and their connection is closed: %s', async (_what, headers, path, status) => {
      const answer = await sendRaw(head(headers, path));
      expect(answer.head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
      expect(answer.head).toContain('application/problem+json');
      expect(answer.body).toMatchObject({ status, requestId: expect.any(String) as string });
    });
  });

  it.each([
    ['two Host headers', 'Host: y\r\n', 400, 'duplicate_header'],
    ['two keys', 'Authorization: Bearer a\r\nauthorization: Bearer b\r\n', 400, 'duplicate_header'],
    [
      'an encoding for the transfer',
      'Transfer-Encoding: gzip, chunked\r\n',
      501,
      'unsupported_transfer_encoding',
    ],
  ])('refuses a request with %s', async (_what, headers, status, code) => {
    const bytes = `GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}\r\n`;
    expect((await sendRaw(bytes)).body).toMatchObject({ status, code });
  });

  it('drops no header, however many there are', async () => {
    const many = 'a:b\r\n'.repeat(2500);
    const bytes = `GET /v1/conversations HTTP/1.1\r\n${many}Host: x\r\nConnection: close\r\n`;
    const key = `Authorization: Bearer ${tenant.apiKey}\r\n`;
    expect((await sendRaw(`${bytes}${key}\r\n`)).head).toMatch(/^HTTP\/1.1 200 /);
  });

  it('refuses a request without Host with a problem document, but not one of HTTP/1.0', async () => {
    const { head, body } = await sendRaw('GET /health/live HTTP/1.1\r\nConnection: close\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1.1 400 /);
    expect(body).toMatchObject({ status: 400, code: 'host_required' });
    expect((await sendRaw('GET /health/live HTTP/1.0\r\n\r\n')).head).toMatch(/^HTTP\/1.1 200 /);
  });

  describe('OpenAPI', () => {
    let document: OpenApiDocument;
    const operations = () =>
      Object.entries(document.paths).flatMap(([path, item]) =>
        Object.entries(item).map(([method, operation]) => ({ name: `${method} ${path}`, path, operation })),
      );

    beforeAll(async () => {
      document = (await app.inject({ method: 'GET', url: '/docs/openapi.json' })).json();
    });

    it('describes problem documents, and API keys that are not JWTs', () => {
      expect(document.components.schemas['Problem']?.required).toContain('code');
      expect(JSON.stringify(document.components.securitySchemes)).not.toContain('JWT');
    });

    it('declares a problem document for every error response of every operation', () => {
      expect(operations().length).toBeGreaterThan(10);
      const isProblem = ({ content }: OpenApiResponse): boolean =>
        content?.['application/problem+json']?.schema.$ref === '#/components/schemas/Problem';
      const wrong = operations().flatMap(({ name, path, operation: { security, responses } }) => [
        ...['400', '500', '503', 'default', ...(path.includes('{') ? ['404'] : [])]
          .concat(security ? ['401', '403', '429'] : [])
          .filter((status) => !responses[status])
          .map((status) => `${name}: no ${status}`),
        ...Object.entries(responses)
          .filter(([status, response]) => /^([45]|default)/.test(status) && !isProblem(response))
          .map(([status]) => `${name}: ${status} is no problem`),
      ]);
      expect(wrong).toEqual([]);
    });

    it('leaves no description empty', () => {
      const empty = operations().filter(({ operation }) =>
        Object.values(operation.responses).some(({ description }) => !description),
      );
      expect(empty.map(({ name }) => name)).toEqual([]);
    });
  });
});
