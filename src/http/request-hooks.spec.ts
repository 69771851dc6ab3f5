import { once } from 'node:events';
import { Agent, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import { eventually } from '../../test/support/eventually.js';
import { contextOf, createLogger } from '../logging/index.js';
import { addRequestHooks } from './request-hooks.js';

function serverWith() {
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger({
    level: 'debug',
    pretty: false,
    destination: { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  });
  const server: FastifyInstance = fastify({
    genReqId: () => 'r-1',
    forceCloseConnections: 'idle',
    return503OnClosing: false,
  });
  const gated: string[] = [];
  const ended = jest.fn();
  const authenticate = jest.fn<undefined | Promise<void>, [FastifyRequest]>();
  addRequestHooks(server, {
    logger,
    apiHeaders: { 'x-kind': 'api' },
    pageHeaders: { 'x-kind': 'page' },
    timings: { ended },
    adminGate: {
      check: (request, _reply, next) => {
        gated.push(request.url);
        next();
      },
    },
    guard: { authenticate },
  });
  return { server, lines, gated, ended, authenticate };
}

describe('the request hooks', () => {
  it.each([
    ['/admin', 'page', true],
    ['/admin/queues?x=1', 'page', true],
    ['/admin?next=/', 'page', true],
    ['/%61dmin/queues', 'page', true],
    ['/docs/', 'page', true],
    ['/administrators', 'api', false],
    ['/v1/admin', 'api', false],
    ['/v1/things/admin', 'api', false],
  ])('%s has the headers of a %s; gate: %s', async (url, kind, isGated) => {
    const { server, gated } = serverWith();
    server.get('/admin/queues', () => 'board');
    server.get('/v1/things/:id', () => 'thing');
    const { headers } = await server.inject({ method: 'GET', url });
    expect(headers).toMatchObject({ 'x-kind': kind, 'x-request-id': 'r-1' });
    expect(gated).toEqual(isGated ? [url] : []);
    await server.close();
  });

  it.each([
    ['throws', () => new Promise(() => undefined)],
    ['rejects', () => Promise.reject(new Error('no key'))],
  ])('do not let the body be read if the guard %s', async (how, decide) => {
    const { server, authenticate } = serverWith();
    authenticate.mockImplementation(() => {
      if (how === 'throws') throw new Error('no key');
      return decide() as Promise<void>;
    });
    const parsed = jest.fn();
    server.addContentTypeParser('application/json', parsed);
    server.post('/v1/things', () => 'thing');
    const response = await server.inject({ method: 'POST', url: '/v1/things', payload: { a: 1 } });
    expect(response.json()).toMatchObject({ message: 'no key' });
    expect(parsed).not.toHaveBeenCalled();
    await server.close();
  });

  it('do not let the body of a request to an unknown route be read', async () => {
    const { server, authenticate } = serverWith();
    const parsed = jest.fn();
    server.addContentTypeParser('application/json', parsed);
    const { statusCode } = await server.inject({ method: 'POST', url: '/nowhere', payload: { a: 1 } });
    expect(statusCode).toBe(404);
    expect(parsed).not.toHaveBeenCalled();
    expect(authenticate).not.toHaveBeenCalled();
    await server.close();
  });

  it('log and time a request once, with the context of the request', async () => {
    const { server, lines, ended } = serverWith();
    server.get('/v1/things/:id', (request) => {
      const context = contextOf(request);
      if (context) context.tenantId = 'acme';
      return { ok: true };
    });
    await server.inject({ method: 'GET', url: '/v1/things/7?q=secret' });
    const context = { requestId: 'r-1', tenantId: 'acme', route: '/v1/things/:id' };
    expect(lines).toEqual([
      expect.objectContaining({ level: 'debug', msg: 'request', method: 'GET', status: 200, ...context }),
    ]);
    expect(ended.mock.calls).toEqual([[expect.anything(), expect.anything(), context]]);
    await server.close();
  });
});

it('reads of one tenant wait for its large responses; writes, and reads of another tenant, do not', async () => {
  const { server, authenticate } = serverWith();
  authenticate.mockImplementation((request) => {
    const context = contextOf(request);
    if (context) context.tenantId = String(request.headers['x-tenant']);
    return undefined;
  });
  const started: string[] = [];
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  const handler = async (request: FastifyRequest): Promise<string> => {
    started.push(`${request.method} ${String(request.headers['x-tenant'])}`);
    await released;
    return 'done';
  };
  server.get('/v1/things', handler);
  server.post('/v1/things', handler);
  const send = (method: 'GET' | 'POST', tenant: string) =>
    server.inject({ method, url: '/v1/things?limit=100', headers: { 'x-tenant': tenant } });
  // A response of unknown size counts as 1 MiB of 4.
  const responses = Array.from({ length: 6 }, () => send('GET', 'a'));
  responses.push(send('POST', 'a'), send('GET', 'b'));
  await eventually(() => started.includes('GET b'));
  expect(started).toEqual([...(Array(4).fill('GET a') as string[]), 'POST a', 'GET b']);
  release();
  expect((await Promise.all(responses)).map(({ statusCode }) => statusCode)).toEqual(Array(8).fill(200));
  await server.close();
});

describe('a connection that is busy when the server closes', () => {
  const agent = new Agent({ keepAlive: true });
  afterAll(() => {
    agent.destroy();
  });

  async function ask(server: FastifyInstance, path: string): Promise<IncomingMessage> {
    const { port } = server.server.address() as AddressInfo;
    const request = get({ port, path, agent });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    return response;
  }

  const readAll = async (response: IncomingMessage): Promise<string> =>
    Buffer.concat((await response.toArray()) as Buffer[]).toString();

  it('is closed after the response, which announces it', async () => {
    const { server } = serverWith();
    let arrive: (release: () => void) => void = () => undefined;
    const arrived = new Promise<() => void>((resolve) => (arrive = resolve));
    server.get('/held', async () => {
      await new Promise<void>((resolve) => {
        arrive(resolve);
      });
      return 'done';
    });
    const closing = new Promise<void>((resolve) => {
      server.addHook('preClose', (done) => {
        resolve();
        done();
      });
    });
    await server.listen({ port: 0, host: '127.0.0.1' });
    const response = ask(server, '/held');
    const release = await arrived;
    const closed = server.close();
    await closing;
    release();
    expect((await response).headers.connection).toBe('close');
    expect(await readAll(await response)).toBe('done');
    await closed;
  });

  it('is closed after a response whose headers had already been sent', async () => {
    const { server } = serverWith();
    let end = (): void => undefined;
    server.get('/stream', (_request, reply) => {
      reply.hijack();
      reply.raw.write('begun ');
      end = () => reply.raw.end('done');
    });
    await server.listen({ port: 0, host: '127.0.0.1' });
    const response = await ask(server, '/stream');
    expect(response.headers.connection).toBe('keep-alive');
    const closed = server.close();
    end();
    expect(await readAll(response)).toBe('begun done');
    await closed;
  });
});
