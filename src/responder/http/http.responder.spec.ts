import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { loadSettings, type ProcessingSettings } from '../../config/index.js';
import { allFeatures } from '../../tenant/index.js';
import { ResponderError, type ResponderRequest } from '../responder.js';
import {
  HttpResponder,
  type HttpResponderConfig,
  MAX_REQUEST_BYTES,
  MAX_RESPONSE_BYTES,
} from './http.responder.js';

interface Received {
  request: IncomingMessage;
  body: string;
}

const secret = 'a-secret-of-some-length';

const settingsWith = (env: Record<string, string> = {}): ProcessingSettings =>
  loadSettings({ HTTP_RESPONDER_ALLOW_PRIVATE: 'true', ...env }).processing;

const requestFor = (config: HttpResponderConfig): ResponderRequest<HttpResponderConfig> => ({
  tenant: { tenantId: 'acme', name: 'Acme', plan: 'free', features: allFeatures },
  conversation: { id: 'c1', channel: 'web', participantId: 'ana' },
  message: { id: 'm1', content: 'hello', attachments: [], metadata: {}, externalId: 'x1' },
  session: { activeGoals: [], context: { locale: 'en' } },
  config,
  history: (limit) => Promise.resolve([{ role: 'user' as const, content: `one of ${limit}` }]),
});

describe('HttpResponder', () => {
  let server: Server;
  let url: string;
  let received: Received[];
  let answer: (response: ServerResponse, attempt: number) => void;
  const responders: HttpResponder[] = [];

  const responder = (env?: Record<string, string>): HttpResponder => {
    const created = new HttpResponder(settingsWith(env));
    responders.push(created);
    return created;
  };
  const ask = (
    env?: Record<string, string>,
    config: Partial<HttpResponderConfig> = {},
    signal = new AbortController().signal,
  ) => responder(env).respond(requestFor({ url, secret, historyLimit: 3, ...config }), signal);
  const json = (response: ServerResponse, body: unknown, status = 200): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };

  beforeAll(async () => {
    server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8');
      request.on('data', (chunk: string) => (body += chunk));
      request.on('end', () => {
        received.push({ request, body });
        answer(response, received.length);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/bot?v=1`;
  });
  beforeEach(() => {
    received = [];
    answer = (response) => {
      json(response, { reply: { content: 'hi' } });
    };
  });
  afterEach(async () => {
    await Promise.all(responders.splice(0).map((created) => created.onApplicationShutdown()));
  });
  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it('sends the message with a signature and returns the reply', async () => {
    answer = (response) => {
      json(response, {
        reply: { content: 'hi', metadata: { a: 1 } },
        activeGoals: [{ id: 'g', type: 'greet', status: 'completed', slots: { name: 'Ana' } }],
        context: { seen: true },
      });
    };
    expect(await ask()).toEqual({
      reply: { content: 'hi', metadata: { a: 1 } },
      activeGoals: [{ id: 'g', type: 'greet', status: 'completed', slots: { name: 'Ana' } }],
      context: { seen: true },
    });
    const [{ request, body } = { request: undefined, body: '' }] = received;
    expect(request?.url).toBe('/bot?v=1');
    expect(JSON.parse(body)).toEqual({
      event: 'message',
      tenantId: 'acme',
      conversation: { id: 'c1', channel: 'web', participantId: 'ana' },
      message: { id: 'm1', content: 'hello', attachments: [], metadata: {}, externalId: 'x1' },
      session: { activeGoals: [], context: { locale: 'en' } },
      history: [{ role: 'user', content: 'one of 3' }],
    });
    const timestamp = String(request?.headers['x-colloquy-timestamp']);
    const expected = createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex');
    expect(request?.headers['x-colloquy-signature']).toBe(`sha256=${expected}`);
    expect(request?.headers['idempotency-key']).toBe('m1');
    expect(body).not.toContain(secret);
  });

  it('sends the earlier messages of a burst', async () => {
    const request = requestFor({ url, secret, historyLimit: 0 });
    const burst = [{ ...request.message, id: 'm0', content: 'hi' }];
    await responder().respond({ ...request, burst }, new AbortController().signal);
    expect(JSON.parse(received[0]?.body ?? '')).toMatchObject({ message: { id: 'm1' }, burst });
  });

  it('leaves out the oldest messages of a long history, and bounds the size of a request', async () => {
    const said = (n: number) => ({ role: 'user' as const, content: `${n} ${'"'.repeat(30_000)}` });
    const request = requestFor({ url, secret, historyLimit: 50 });
    const history = Array.from({ length: 50 }, (_, n) => said(n));
    await responder().respond(
      { ...request, history: () => Promise.resolve(history) },
      new AbortController().signal,
    );
    const { body = '' } = received[0] ?? {};
    expect(JSON.parse(body)).toMatchObject({ history: history.slice(-8) });
    expect(Buffer.byteLength(body)).toBeLessThan(MAX_REQUEST_BYTES + 100);
  });

  it('leaves out the history before the oldest messages of a long burst', async () => {
    const request = requestFor({ url, secret, historyLimit: 1 });
    const burst = Array.from({ length: 20 }, (_, n) => ({
      ...request.message,
      id: `m${n}`,
      content: 'x'.repeat(60_000),
    }));
    await responder().respond({ ...request, burst }, new AbortController().signal);
    expect(JSON.parse(received[0]?.body ?? '')).toMatchObject({
      message: { content: 'hello' },
      burst: burst.slice(-8),
      history: [],
    });
  });

  it.each(['gzip', 'br'])('says that a response is compressed with %s', async (encoding) => {
    answer = (response) => {
      response.setHeader('content-encoding', encoding);
      response.end((encoding === 'br' ? brotliCompressSync : gzipSync)('{"reply":null}'));
    };
    await expect(ask()).rejects.toThrow(
      `The endpoint's response is compressed ("Content-Encoding: ${encoding}")`,
    );
    expect(received[0]?.request.headers['accept-encoding']).toBe('identity');
  });

  it.each([
    ['100 Continue', (response: ServerResponse) => response.writeContinue()],
    ['102 Processing', (response: ServerResponse) => response.writeProcessing()],
    [
      '103 Early Hints',
      (response: ServerResponse) => response.writeEarlyHints({ link: '</a>; rel=preload' }),
    ],
  ])('ignores %s before the response', async (_what, inform) => {
    answer = (response) => {
      inform(response);
      inform(response);
      json(response, { reply: { content: 'hi' } });
    };
    expect((await ask({ HTTP_RESPONDER_ATTEMPTS: '1' })).reply?.content).toBe('hi');
  });

  it('omits the history if historyLimit is 0', async () => {
    await ask({}, { historyLimit: 0 });
    expect(JSON.parse(received[0]?.body ?? '')).toMatchObject({ history: [] });
  });

  it.each([
    ['null', { reply: null }, 200],
    ['204', '', 204],
  ])('treats %s as no reply', async (_name, body, status) => {
    answer = (response) => {
      if (status === 204) response.writeHead(204).end();
      else json(response, body);
    };
    expect((await ask()).reply).toBeNull();
  });

  it('retries after a 5xx with the same body and idempotency key', async () => {
    answer = (response, attempt) => {
      if (attempt < 3) json(response, {}, 503);
      else json(response, { reply: { content: 'at last' } });
    };
    expect((await ask()).reply?.content).toBe('at last');
    expect(received).toHaveLength(3);
    expect(new Set(received.map(({ body }) => body)).size).toBe(1);
    expect(new Set(received.map(({ request }) => request.headers['idempotency-key'])).size).toBe(1);
  });

  it('retries after a broken connection', async () => {
    answer = (response, attempt) => {
      if (attempt === 1) response.destroy();
      else json(response, { reply: { content: 'back' } });
    };
    expect((await ask()).reply?.content).toBe('back');
  });

  it('gives up after HTTP_RESPONDER_ATTEMPTS', async () => {
    answer = (response) => {
      json(response, {}, 500);
    };
    await expect(ask({ HTTP_RESPONDER_ATTEMPTS: '2' })).rejects.toThrow(
      'The endpoint responded with 500 after 2 attempts.',
    );
    expect(received).toHaveLength(2);
  });

  it('does not wait for a long Retry-After', async () => {
    answer = (response) => {
      response.writeHead(503, { 'retry-after': '3600' }).end();
    };
    await expect(ask()).rejects.toThrow('The endpoint responded with 503.');
    expect(received).toHaveLength(1);
  });

  it('waits as long as a 429 says, as for a 503', async () => {
    answer = (response, attempt) => {
      if (attempt === 1) response.writeHead(429, { 'retry-after': '0' }).end();
      else json(response, { reply: { content: 'after a moment' } });
    };
    expect((await ask()).reply?.content).toBe('after a moment');
    received = [];
    answer = (response) => {
      response.writeHead(429, { 'retry-after': '3600' }).end();
    };
    await expect(ask()).rejects.toThrow('The endpoint responded with 429.');
    expect(received).toHaveLength(1);
  });

  it('calls the endpoint without waiting for other calls', async () => {
    const calls = 100;
    const waiting: ServerResponse[] = [];
    answer = (response) => {
      waiting.push(response);
      if (waiting.length === calls) waiting.forEach((one) => one.end('{"reply":null}'));
    };
    const one = responder();
    const request = requestFor({ url, secret, historyLimit: 0 });
    await Promise.all(
      Array.from({ length: calls }, () => one.respond(request, new AbortController().signal)),
    );
    expect(received).toHaveLength(calls);
  });

  it('ignores a byte order mark', async () => {
    answer = (response) => response.end('\ufeff{"reply":{"content":"hi"}}');
    expect((await ask()).reply?.content).toBe('hi');
  });

  it('quotes at most the beginning of a key in an error', async () => {
    const text = '"'.repeat(100_000);
    answer = (response) => {
      json(response, { reply: { content: 'x', metadata: { [text]: 1 }, attachments: [{ [text]: 1 }] } });
    };
    const error = await ask().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ResponderError);
    expect((error as Error).message.length).toBeLessThan(1100);
  });

  it.each([
    [404, {}, 'The endpoint responded with 404 Not Found.'],
    [429, {}, 'The endpoint responded with 429 Too Many Requests.'],
    [
      302,
      { location: 'http://127.0.0.1:1/' },
      'The endpoint responded with 302: redirects are not followed.',
    ],
  ])('neither retries nor follows a %i', async (status, headers, message) => {
    answer = (response) => {
      response.writeHead(status, headers).end('{"reply":null}');
    };
    await expect(ask()).rejects.toThrow(message);
    expect(received).toHaveLength(1);
  });

  it.each([
    ['no JSON', 'hello', "The endpoint's response is not JSON."],
    [
      'a number that is rounded',
      '{"reply":null,"context":{"order":820982911946154508}}',
      `The endpoint's response has a number that cannot be kept exactly at "context.order"`,
    ],
    [
      'half of a surrogate pair',
      '{"reply":{"content":"cut \\ud83d"}}',
      "The endpoint's response has half of a surrogate pair in the text",
    ],
    ['bytes that are not UTF-8', Buffer.from('{"reply":{"content":"é"}}', 'latin1'), 'is not valid UTF-8'],
    ['no reply', '{}', "The endpoint's response is not valid: reply: "],
    ['a reply without content', '{"reply":{}}', "The endpoint's response is not valid: reply.content: "],
    [
      'an empty reply',
      '{"reply":{"content":""}}',
      'reply.content: must not be empty if there are no attachments',
    ],
    [
      'an unknown goal status',
      '{"reply":null,"activeGoals":[{"type":"a","status":"lost"}]}',
      'activeGoals.0.status: ',
    ],
    [
      'an operator in the context',
      '{"reply":null,"context":{"$set":1}}',
      'context: keys must not begin with "$"',
    ],
  ])('names the problem with %s', async (_name, body, message) => {
    answer = (response) => {
      response.end(body);
    };
    await expect(ask()).rejects.toThrow(message);
  });

  it('limits the size of a response', async () => {
    answer = (response) => {
      response.end(`{"reply":null,"pad":"${'x'.repeat(MAX_RESPONSE_BYTES)}"}`);
    };
    await expect(ask()).rejects.toThrow(
      `The endpoint's response is larger than ${MAX_RESPONSE_BYTES} bytes.`,
    );
    expect(received).toHaveLength(1);
  });

  it('reports that the endpoint cannot be reached', async () => {
    await expect(ask({ HTTP_RESPONDER_ATTEMPTS: '1' }, { url: 'http://127.0.0.1:1/' })).rejects.toThrow(
      'The endpoint could not be reached (ECONNREFUSED).',
    );
  });

  it('stops when it is aborted, even while it waits for the next attempt', async () => {
    const abort = new AbortController();
    answer = (response) => {
      response.writeHead(503, { 'retry-after': '5' }).end();
      response.on('close', () => {
        abort.abort(new Error('too late'));
      });
    };
    await expect(ask({}, {}, abort.signal)).rejects.toThrow('too late');
    expect(received).toHaveLength(1);
  });

  describe('with HTTP_RESPONDER_ALLOW_PRIVATE=false', () => {
    const closed = { HTTP_RESPONDER_ALLOW_PRIVATE: 'false', HTTP_RESPONDER_ATTEMPTS: '1' };
    const accepts = (target: string): boolean =>
      responder(closed).configSchema.safeParse({ url: target, secret }).success;

    it('rejects a private address in the URL', () => {
      expect(accepts(url)).toBe(false);
      expect(accepts('http://[::1]/')).toBe(false);
      expect(accepts('https://bot.example.com/')).toBe(true);
    });

    it('does not connect to a private address that was stored before', async () => {
      await expect(ask(closed)).rejects.toThrow('private address, which is not allowed');
      expect(received).toHaveLength(0);
    });

    it('does not connect if a name resolves to a private address', async () => {
      const { port } = new URL(url);
      const request = requestFor({ url: `http://localhost:${port}/`, secret, historyLimit: 0 });
      await expect(responder(closed).respond(request, new AbortController().signal)).rejects.toThrow(
        'private address, which is not allowed',
      );
      expect(received).toHaveLength(0);
    });
  });

  it.each([
    ['ftp://example.com/', 'must be an http or https URL'],
    ['example.com', 'must be an http or https URL'],
    ['https://me:pw@example.com/', 'must not contain a user or password'],
  ])('rejects %s as the URL', (target, message) => {
    const { error } = responder().configSchema.safeParse({ url: target, secret });
    expect(error?.issues[0]?.message).toBe(message);
  });
});
