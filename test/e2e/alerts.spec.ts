import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ServiceSnapshot } from '../../src/admin/index.js';
import { signatureOf } from '../../src/http-client/index.js';
import { ERROR_REPORTER, type ErrorReporter } from '../../src/logging/index.js';
import { type Alert, MetricsService } from '../../src/monitoring/index.js';
import { SnapshotReader } from '../../src/monitoring/snapshot/snapshot-reader.js';
import { createTestApp, type TestApp, type TestTenant } from '../support/app.js';

const SECRET = 'secret-of-the-alert-receiver';
const QUEUE = 'conversation-transcript';

interface Received {
  headers: IncomingHttpHeaders;
  body: string;
  event: { event: string; status: string; alert: Alert };
}

/** A receiver of alerts on a free port. It responds with the statuses in `answers` first, then with 204. */
async function startReceiver(answers: number[]) {
  const received: Received[] = [];
  let onRequest: (() => void)[] = [];
  const server: Server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      received.push({ headers: request.headers, body, event: JSON.parse(body) as Received['event'] });
      response.writeHead(answers.shift() ?? 204).end();
      for (const resolve of onRequest.splice(0)) resolve();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/alerts`,
    received,
    async arrived(count: number): Promise<void> {
      while (received.length < count) await new Promise<void>((resolve) => onRequest.push(resolve));
    },
    async close() {
      onRequest = [];
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const say = (tenant: TestTenant, participantId: string) =>
  tenant.request<{ conversation: { id: string } }>('POST', '/v1/messages', {
    participantId,
    channel: 'web',
    content: 'Hello',
  });

const readSnapshot = async (app: TestApp): Promise<ServiceSnapshot> => {
  const { status, body } = await app.request<ServiceSnapshot>('GET', '/v1/monitoring');
  expect(status).toBe(200);
  return body;
};

describe('an alert', () => {
  let app: TestApp;
  let tenant: TestTenant;
  let receiver: Awaited<ReturnType<typeof startReceiver>>;
  let notify: jest.SpyInstance<string, Parameters<ErrorReporter['notify']>>;

  beforeAll(async () => {
    receiver = await startReceiver([500]);
    app = await createTestApp({
      ALERT_HOLD_MS: '600',
      ALERT_BACKLOG_AGE_MS: '100,3600000',
      ALERT_WEBHOOK_URL: receiver.url,
      ALERT_WEBHOOK_SECRET: SECRET,
      // The speed of the machine must not trigger alerts in this test.
      ALERT_EVENT_LOOP_LAG_MS: 'off',
      ALERT_DATABASE_P95_MS: 'off',
      ALERT_REQUEST_P95_MS: 'off',
    });
    notify = jest.spyOn(app.app.get<ErrorReporter>(ERROR_REPORTER), 'notify');
    tenant = await app.createTenant();
  });
  afterAll(async () => {
    notify.mockRestore();
    await app.close();
    await receiver.close();
  });

  it('is posted once when a limit was exceeded for some time, retried after a 500, and posted once on recovery', async () => {
    const { body } = await say(tenant, 'p-1');
    // The workers of this application are not started, so this job stays queued.
    await tenant.request('POST', `/v1/conversations/${body.conversation.id}/close`);
    await receiver.arrived(2);
    const [refused, taken] = receiver.received;
    expect(taken?.headers['idempotency-key']).toBe(refused?.headers['idempotency-key']);
    expect(taken?.event).toMatchObject({
      event: 'alert.raised',
      status: 'degraded',
      alert: { name: `backlog:${QUEUE}`, severity: 'warning', unit: 'ms', limit: 100, endedAt: null },
    });
    const during = await readSnapshot(app);
    expect(during.status).toBe('degraded');
    expect(during.alerts.active.map(({ id }) => id)).toEqual([taken?.event.alert.id]);

    await app.database.collection('jobs').deleteMany({ queue: QUEUE });
    await receiver.arrived(3);
    const cleared = receiver.received[2]?.event;
    expect(cleared).toMatchObject({
      event: 'alert.cleared',
      status: 'healthy',
      alert: { id: taken?.event.alert.id, name: `backlog:${QUEUE}` },
    });
    const after = await readSnapshot(app);
    expect(after.status).toBe('healthy');
    expect(after.alerts).toEqual({ active: [], recent: [cleared?.alert] });
    expect(receiver.received).toHaveLength(3);
  });

  it('is signed over its time and body', () => {
    expect(receiver.received).toHaveLength(3);
    for (const { headers, body } of receiver.received)
      expect(headers['x-colloquy-signature']).toBe(
        signatureOf(SECRET, String(headers['x-colloquy-timestamp']), body),
      );
  });

  it('is sent to error reporting when it starts and when it ends', () => {
    const told = notify.mock.calls.map(([message, details]) => [message, details?.level]);
    expect(told).toEqual([
      [expect.stringMatching(/^alert raised: The longest wait in queue/), 'warning'],
      [expect.stringMatching(/^alert cleared: The longest wait in queue/), 'info'],
    ]);
  });
});

describe('GET /v1/monitoring', () => {
  let app: TestApp;
  let tenant: TestTenant;

  beforeAll(async () => {
    app = await createTestApp();
    tenant = await app.createTenant();
    for (let number = 0; number < 3; number++) await say(tenant, 'p-1');
  });
  afterAll(() => app.close());

  it('is available to operators only', async () => {
    expect((await app.request('GET', '/v1/monitoring', undefined, {}, null)).status).toBe(401);
    expect((await tenant.request('GET', '/v1/monitoring')).status).toBe(403);
  });

  it('reports the activity of the process', async () => {
    const snapshot = await readSnapshot(app);
    expect(snapshot).toMatchObject({
      service: { name: 'colloquy', instance: expect.stringMatching(`:${process.pid}$`) as string },
      database: { kind: 'mongodb', connected: true, pool: { max: 20, waiting: 0 } },
      sessions: { held: 1, opens: { none: 1, l1: 2 } },
      transcripts: { queued: 0, oldestMs: 0 },
      redis: { enabled: false },
      health: { ready: true, checks: { database: { status: 'up' } } },
      alerts: { active: [], recent: [] },
    });
    expect(snapshot.queues).toContainEqual(
      expect.objectContaining({ name: QUEUE, waiting: 0, oldestWaitingMs: 0 }),
    );
    expect(snapshot.requests.routes).toContainEqual(
      expect.objectContaining({ route: 'POST /v1/messages', count: 3, errorRatio: 0 }),
    );
    expect(snapshot.requests.count).toBeGreaterThanOrEqual(4);
    expect(snapshot.database.commands.map(({ command }) => command)).toContain('insert');
    const { process: own, disk } = snapshot;
    expect(own.rssBytes).toBeGreaterThan(own.heapUsedBytes / 2);
    expect(own.rssBytes).toBeLessThan(own.memoryLimitBytes);
    expect(disk?.freeRatio).toBeGreaterThan(0);
    expect(disk?.freeRatio).toBeLessThanOrEqual(1);
  });

  it('compares the reports of the modules with its limits', async () => {
    const { limited } = await app.app.get(SnapshotReader).read();
    expect(limited.map(({ name }) => name).sort()).toEqual([
      'archive:failed',
      'archive:overdue',
      'backlog:archive-restore',
      'backlog:archive-run',
      'backlog:backup-run',
      `backlog:${QUEUE}`,
      'backlog:transcripts',
      'backup:overdue',
      'cache_hit_ratio',
      'database',
      'database_p95',
      'disk_free',
      'error_ratio',
      'event_loop_lag',
      'heap',
      'memory',
      'pool_waiting',
      'request_p95',
    ]);
  });

  it('reads once for all requests within a second', async () => {
    const metrics = app.app.get(MetricsService);
    const [first, ...others] = await Promise.all([1, 2, 3].map(() => metrics.collect()));
    for (const other of others) expect(other.at).toBe(first?.at);
  });
});
