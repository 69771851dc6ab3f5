import fastify, { type FastifyInstance } from 'fastify';
import { loadSettings } from '../../config/index.js';
import { createLogger } from '../../logging/index.js';
import { Monitoring } from '../monitoring.js';
import type { RequestsSection } from '../snapshot/monitoring-snapshot.js';
import { PerformanceMonitor } from './performance-monitor.js';
import { requestAlerts, RequestTimings } from './request-timings.js';
import { SlowOperations } from './slow-operations.js';

const { monitoring } = loadSettings({});

function serverWith(settings: Partial<typeof monitoring> = {}) {
  const logger = createLogger({ level: 'silent', pretty: false });
  const warned: unknown[] = [];
  jest.spyOn(logger, 'warn').mockImplementation((details: unknown) => void warned.push(details));
  const monitor = new PerformanceMonitor();
  const metrics = new Monitoring(monitoring);
  const server: FastifyInstance = fastify({ genReqId: () => 'r-1' });
  const slow = new SlowOperations();
  const timings = new RequestTimings(metrics, monitor, slow, { ...monitoring, ...settings }, logger);
  server.addHook('onResponse', (request, reply, done) => {
    const { url } = request.routeOptions;
    timings.ended(request, reply, {
      requestId: request.id,
      tenantId: 'acme',
      ...(url !== undefined && { route: url }),
    });
    done();
  });
  server.get('/v1/things/:id', () => ({ ok: true }));
  server.post('/v1/things', () => {
    throw new Error('broken');
  });
  server.get('/v1/live', { config: { longLived: true } }, () => 'stream');
  server.get('/health/ready', async (_request, reply) => reply.code(503).send());
  const section = async (): Promise<RequestsSection> =>
    (await metrics.sections[0]?.read()) as RequestsSection;
  return { server, monitor, section, slow, metrics, warned };
}

describe('RequestTimings', () => {
  it('times by route template and status, never by URL', async () => {
    const { server, monitor, metrics } = serverWith();
    for (const id of ['1', '2', '3'])
      await server.inject({ method: 'GET', url: `/v1/things/${id}?q=secret` });
    await server.inject({ method: 'POST', url: '/v1/things' });
    expect(monitor.getStats('GET /v1/things/:id')).toMatchObject({ count: 3, errors: 0 });
    expect(monitor.getStats('POST /v1/things')).toMatchObject({ count: 1, errors: 1 });
    const { body } = await metrics.metricsText();
    expect(body).toContain(
      'colloquy_http_request_duration_seconds_count{method="GET",route="/v1/things/:id",status="200"} 3',
    );
    expect(body).toContain(
      'colloquy_http_request_duration_seconds_count{method="POST",route="/v1/things",status="500"} 1',
    );
    expect(body).not.toContain('secret');
    await server.close();
  });

  it('exports cumulative Prometheus buckets of the same durations', async () => {
    const { server, monitor, metrics } = serverWith();
    for (let number = 0; number < 20; number++) await server.inject({ method: 'GET', url: '/v1/things/1' });
    const { body } = await metrics.metricsText();
    const buckets = [
      ...body.matchAll(/^colloquy_http_request_duration_seconds_bucket\{.*le="(\S+)"\} (\d+)$/gm),
    ].map(([, le, count]) => [le, Number(count)] as const);
    expect(buckets.map(([le]) => le)).toEqual(
      '0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10 30 +Inf'.split(' '),
    );
    const counts = buckets.map(([, count]) => count);
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
    expect(counts.at(-1)).toBe(20);
    const [, sum = ''] = /^colloquy_http_request_duration_seconds_sum\{.*\} (\S+)$/m.exec(body) ?? [];
    expect(Number(sum)).toBeCloseTo((20 * (monitor.getStats('GET /v1/things/:id')?.meanMs ?? NaN)) / 1000);
    await server.close();
  });

  it('combines requests without a route, regardless of their URL', async () => {
    const { server, monitor } = serverWith();
    for (let number = 0; number < 50; number++)
      await server.inject({ method: 'GET', url: `/wp-admin/${number}.php` });
    expect(monitor.getAllStats().map(({ operation, count }) => [operation, count])).toEqual([
      ['GET unknown', 50],
    ]);
    await server.close();
  });

  it('does not time a route whose response stays open', async () => {
    const { server, monitor } = serverWith({ SLOW_REQUEST_MS: -1 });
    await server.inject({ method: 'GET', url: '/v1/live' });
    expect(monitor.getAllStats()).toEqual([]);
    await server.close();
  });

  it('logs a request above SLOW_REQUEST_MS with route, tenant and request id, and no URL', async () => {
    const { server, warned } = serverWith({ SLOW_REQUEST_MS: -1 });
    await server.inject({ method: 'GET', url: '/v1/things/9?q=secret' });
    expect(warned).toEqual([
      {
        requestId: 'r-1',
        tenantId: 'acme',
        method: 'GET',
        route: '/v1/things/:id',
        status: 200,
        durationMs: expect.any(Number) as number,
      },
    ]);
    await server.close();
  });

  it('does not log a faster request', async () => {
    const { server, warned } = serverWith({ SLOW_REQUEST_MS: 3_600_000 });
    await server.inject({ method: 'GET', url: '/v1/things/9' });
    expect(warned).toEqual([]);
    await server.close();
  });

  it('times nothing with MONITORING=off', async () => {
    const { server, monitor } = serverWith({ MONITORING: 'off' });
    await server.inject({ method: 'GET', url: '/v1/things/9' });
    expect(monitor.getAllStats()).toEqual([]);
    await server.close();
  });

  it('counts client traffic, but not monitoring requests', async () => {
    const { server, section } = serverWith();
    await server.inject({ method: 'GET', url: '/v1/things/1' });
    await server.inject({ method: 'POST', url: '/v1/things' });
    for (let probe = 0; probe < 5; probe++) await server.inject({ method: 'GET', url: '/health/ready' });
    expect(await section()).toMatchObject({ count: 2, errorRatio: 0.5 });
    expect((await section()).routes.map(({ route }) => route)).toContain('GET /health/ready');
    await server.close();
  });

  it('keeps slow requests for the dashboard, without values from the URL', async () => {
    const { server, slow } = serverWith({ SLOW_REQUEST_MS: 0 });
    await server.inject({ method: 'GET', url: '/v1/things/secret?q=secret' });
    expect(slow.worst()).toEqual([
      {
        at: expect.any(String) as string,
        kind: 'request',
        what: 'GET /v1/things/:id',
        count: 1,
        durationMs: expect.any(Number) as number,
        maxMs: expect.any(Number) as number,
        totalMs: expect.any(Number) as number,
        route: '/v1/things/:id',
        requestId: 'r-1',
        tenantId: 'acme',
      },
    ]);
    await server.close();
  });
});

describe('the request alerts', () => {
  const busy: RequestsSection = {
    count: 20,
    errorRatio: 0.5,
    ratePerSecond: 2,
    p50Ms: 1,
    p95Ms: 2000,
    p99Ms: 3000,
    routes: [],
  };
  const values = (requests: RequestsSection): unknown =>
    requestAlerts(requests, monitoring).map(({ name, value }) => [name, value]);

  it('are based on the share of errors and the p95', () => {
    expect(values(busy)).toEqual([
      ['error_ratio', 0.5],
      ['request_p95', 2000],
    ]);
    expect(requestAlerts(busy, monitoring)[0]?.levels).toEqual({ warning: 0.02, critical: 0.1 });
  });

  it('are not evaluated if there is little traffic', () => {
    expect(values({ ...busy, count: 19 })).toEqual([
      ['error_ratio', null],
      ['request_p95', null],
    ]);
  });
});
