import type { mongo } from 'mongoose';
import { DatabaseService } from '../../src/database/index.js';
import { currentContext, type RequestContext } from '../../src/logging/index.js';
import { PerformanceMonitor } from '../../src/monitoring/index.js';
import { createTestApp, type TestApp, type TestTenant } from '../support/app.js';
import { describeWithPromtool, promtool } from '../support/promtool.js';

const readMetrics = async (app: TestApp): Promise<string> => {
  const answer = await fetch(`${app.url}/metrics`);
  expect(answer.status).toBe(200);
  return answer.text();
};

/** The value of one series, by its name and labels as written in the metrics output. */
const valueOf = (metrics: string, series: string): number => {
  const line = metrics.split('\n').find((one) => one.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1));
};

describe('timings of a running application', () => {
  let app: TestApp;
  let tenant: TestTenant;

  beforeAll(async () => {
    app = await createTestApp({ REQUEST_CONTEXT: 'on' });
    tenant = await app.createTenant();
    const said = { participantId: 'p-1', channel: 'web', content: 'Hello' };
    for (let number = 0; number < 3; number++) await tenant.request('POST', '/v1/messages', said);
    await tenant.request('GET', '/v1/sessions/nobody-known');
    await tenant.request('GET', '/no/such/route');
  });
  afterAll(() => app.close());

  it('records requests by route template', async () => {
    const metrics = await readMetrics(app);
    const count = (labels: string): number =>
      valueOf(metrics, `colloquy_http_request_duration_seconds_count{${labels}}`);
    expect(count('method="POST",route="/v1/messages",status="201"')).toBe(3);
    expect(count('method="GET",route="/v1/sessions/:participantId",status="404"')).toBe(1);
    expect(count('method="GET",route="unknown",status="404"')).toBe(1);
    expect(app.app.get(PerformanceMonitor).getStats('POST /v1/messages')).toMatchObject({
      count: 3,
      errors: 0,
    });
  });

  it('knows at the end of a command which request sent it (REQUEST_CONTEXT=on), so that a slow command can be logged with the request', async () => {
    const ended: [string, RequestContext | undefined][] = [];
    app.app.get(DatabaseService).observe({
      onEnd: ({ commandName }) => void ended.push([commandName, currentContext()]),
      pool: { waits: () => undefined, served: () => undefined },
    });
    const said = { participantId: 'p-3', channel: 'web', content: 'Hello' };
    const answer = await tenant.request('POST', '/v1/messages', said, { 'x-request-id': 'mine' });
    const mine = ended.filter(([, context]) => context?.requestId === 'mine');
    expect(mine.map(([name]) => name)).toEqual(
      expect.arrayContaining(['find', 'insert', 'commitTransaction']) as string[],
    );
    expect(mine[0]?.[1]).toMatchObject({ route: '/v1/messages', tenantId: tenant.tenantId });
    expect(answer.headers.get('x-request-id')).toBe('mine');
  });

  it('records commands by name, and the connection pool', async () => {
    const metrics = await readMetrics(app);
    expect(
      valueOf(
        metrics,
        'colloquy_database_command_duration_seconds_count{command="commitTransaction",outcome="ok"}',
      ),
    ).toBeGreaterThanOrEqual(3);
    expect(valueOf(metrics, 'colloquy_database_pool_connections{state="max"}')).toBe(20);
    expect(valueOf(metrics, 'colloquy_database_pool_connections{state="open"}')).toBeGreaterThan(0);
    expect(valueOf(metrics, 'colloquy_database_pool_waiting')).toBe(0);
    expect(valueOf(metrics, 'colloquy_database_ping_duration_seconds_count{outcome="ok"}')).toBeGreaterThan(
      0,
    );
    expect(app.app.get(PerformanceMonitor).getStats('db insert')?.count).toBeGreaterThan(0);
  });

  it('records messages by outcome, sessions by tier, transactions, cache and transcripts', async () => {
    const externalId = 'known';
    const said = { participantId: 'p-2', channel: 'web', content: 'Hello', externalId };
    const count = async (series: string): Promise<number> => valueOf(await readMetrics(app), series);
    const handled = 'colloquy_messages_handled_total{outcome="handled"}';
    const before = await count(handled);
    for (let number = 0; number < 3; number++) await tenant.request('POST', '/v1/messages', said);
    expect((await count(handled)) - before).toBe(1);
    expect(await count('colloquy_messages_handled_total{outcome="repeated"}')).toBe(2);
    expect(await count('colloquy_session_opens_total{tier="l1"}')).toBeGreaterThan(0);
    expect(await count('colloquy_session_database_operations_total{operation="insert"}')).toBe(3);
    expect(await count('colloquy_database_transactions_total{outcome="committed"}')).toBeGreaterThan(0);
    expect(await count('colloquy_transcripts_waiting{state="queued"}')).toBe(0);
    expect(await count('colloquy_cache_lookups_total{tier="l1",result="hit"}')).toBeGreaterThan(0);
  });

  it('records nothing about Redis if it is not configured', async () => {
    const metrics = await readMetrics(app);
    expect(metrics).toContain('# TYPE colloquy_redis_up gauge');
    expect(metrics).not.toMatch(/^colloquy_redis_up /m);
  });

  it('contains no tenant, participant or URL', async () => {
    const metrics = await readMetrics(app);
    for (const secret of [tenant.tenantId, 'p-1', 'p-2', 'p-3', 'nobody-known', '/no/such'])
      expect(metrics).not.toContain(secret);
  });

  it.each<[string, mongo.Document, { collectionScan: boolean }]>([
    [
      'a find in a transaction',
      {
        find: 'conversations',
        filter: { tenantId: 'acme', participantId: 'p-1' },
        sort: { updatedAt: -1 },
        limit: 1,
        lsid: {},
        txnNumber: 1,
        startTransaction: true,
        autocommit: false,
        readConcern: { level: 'snapshot' },
        $db: 'x',
      },
      { collectionScan: false },
    ],
    ['a scan', { find: 'conversations', filter: { nothing: 1 } }, { collectionScan: true }],
    [
      'an aggregation',
      { aggregate: 'conversations', pipeline: [{ $match: { nothing: 1 } }], cursor: {} },
      { collectionScan: true },
    ],
    [
      'a batch of updates',
      {
        update: 'conversations',
        updates: [
          { q: { _id: 1 }, u: { $set: { a: 1 } } },
          { q: { _id: 2 }, u: { $set: { a: 1 } } },
        ],
        ordered: true,
        writeConcern: { w: 'majority' },
      },
      { collectionScan: false },
    ],
    [
      'a delete',
      { delete: 'conversations', deletes: [{ q: { tenantId: 'acme' }, limit: 0 }] },
      { collectionScan: false },
    ],
  ])('explains %s as sent', async (_name, command, plan) => {
    const database = app.app.get(DatabaseService);
    await expect(database.explain(app.database.name, command)).resolves.toMatchObject(plan);
  });
});

describe('disabled timings', () => {
  it('time neither requests nor commands', async () => {
    const app = await createTestApp({ MONITORING: 'off' });
    try {
      await app.createTenant();
      const metrics = await readMetrics(app);
      expect(metrics).not.toMatch(/^colloquy_http_request_duration_seconds_count/m);
      expect(metrics).not.toMatch(/^colloquy_database_command_duration_seconds_count/m);
      expect(app.app.get(PerformanceMonitor).getAllStats()).toEqual([]);
    } finally {
      await app.close();
    }
  });
});

describeWithPromtool('GET /metrics checked by promtool', () => {
  it('passes promtool check metrics', async () => {
    const app = await createTestApp();
    try {
      const tenant = await app.createTenant();
      const said = { participantId: 'p-1', channel: 'web', content: 'Hello' };
      await tenant.request('POST', '/v1/messages', said);
      await tenant.request('POST', '/v1/transcripts', {
        participantId: 'p-1',
        channel: 'web',
        transcript: 'Hello',
      });
      expect(promtool(['check', 'metrics'], await readMetrics(app))).toEqual({ code: 0, output: '' });
    } finally {
      await app.close();
    }
  });
});
