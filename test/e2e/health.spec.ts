import { DatabaseService, IndexManager } from '../../src/database/index.js';
import { HealthService, Monitoring } from '../../src/monitoring/index.js';
import { createTestApp, type TestApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';

const probes = ['live', 'ready', 'startup'] as const;

type Checks = Record<string, Record<string, unknown>>;

interface ProbeBody {
  status: string;
  checks: Checks;
}

/** Asserts that every check reports its state and nothing else. */
const namesAndStates = (checks: Checks): boolean =>
  Object.values(checks).every((check) => Object.keys(check).join() === 'status');

describe('health of a healthy service', () => {
  let test: TestApp;

  beforeAll(async () => {
    test = await createTestApp();
  });
  afterAll(() => test.close());

  it.each(probes)(
    '%s: returns only names and states without a key, and figures with the admin key',
    async (probe) => {
      const path = `/health/${probe}`;
      const open = await test.request<ProbeBody>('GET', path, undefined, {}, null);
      expect(open).toMatchObject({ status: 200, body: { status: 'ok' } });
      expect(open.headers.get('cache-control')).toBe('no-store');
      expect(Object.keys(open.body.checks)).not.toHaveLength(0);
      expect(namesAndStates(open.body.checks)).toBe(true);

      const detailed = await test.request<ProbeBody>('GET', path);
      expect(Object.keys(detailed.body.checks)).toEqual(Object.keys(open.body.checks));
      for (const check of Object.values(detailed.body.checks))
        expect(check).toHaveProperty('durationMs', expect.any(Number));
    },
  );

  it.each(probes)('%s returns no details with a tenant key or an invalid key', async (probe) => {
    const { apiKey } = await test.createTenant();
    for (const key of [apiKey, 'admin_of_somebody_else'])
      expect(
        namesAndStates(
          (await test.request<ProbeBody>('GET', `/health/${probe}`, undefined, {}, key)).body.checks,
        ),
      ).toBe(true);
  });
});

// The result of a check is cached for a second, so each of these tests starts its own application.
describe('health of a service with problems', () => {
  let test: TestApp;

  beforeEach(async () => {
    test = await createTestApp();
  });
  afterEach(() => test.close());

  it('returns 503 for ready and 200 for live while the database does not respond; only operators see the reason', async () => {
    jest
      .spyOn(test.app.get(DatabaseService), 'ping')
      .mockRejectedValue(new Error('no route to db-7.internal'));
    const open = await test.request('GET', '/health/ready', undefined, {}, null);
    expect(open).toMatchObject({
      status: 503,
      body: { code: 'not_ready', detail: 'database: down', checks: { database: { status: 'down' } } },
    });
    expect(JSON.stringify(open.body)).not.toContain('db-7.internal');
    expect(open.headers.get('content-type')).toContain('application/problem+json');
    expect(await test.request('GET', '/health/ready')).toMatchObject({
      status: 503,
      body: { checks: { database: { status: 'down', message: 'no route to db-7.internal' } } },
    });
    expect(await test.request('GET', '/health/live')).toMatchObject({ status: 200 });
  });

  it('returns 200 for ready with status degraded when a module reports a minor problem', async () => {
    test.app.get(Monitoring).contribute({
      health: [
        { name: 'backlog', kind: 'degrading', run: () => ({ status: 'down', reason: 'too much to do' }) },
      ],
    });
    expect(await test.request('GET', '/health/ready')).toMatchObject({
      status: 200,
      body: { status: 'degraded', checks: { backlog: { status: 'degraded', message: 'too much to do' } } },
    });
  });

  it('returns 503 for ready once a shutdown has started, while other requests are still served', async () => {
    const tenant = await test.createTenant();
    test.app.get(HealthService).beginShutdown();
    expect(await test.request('GET', '/health/ready', undefined, {}, null)).toMatchObject({
      status: 503,
      body: { checks: { shutdown: { status: 'down' } } },
    });
    expect(await test.request('GET', '/health/live')).toMatchObject({ status: 200 });
    expect(await tenant.request('GET', '/v1/conversations')).toMatchObject({ status: 200 });
  });
});

describe('a missing unique index', () => {
  it('makes ready and startup return 503, naming it for operators, and 200 once it exists, without a restart', async () => {
    const test = await createTestApp();
    try {
      const sessions = test.database.collection('sessions');
      const unique = (await sessions.indexes()).find((index) => index.unique);
      await sessions.dropIndex(unique?.name ?? '');
      for (const probe of ['ready', 'startup'])
        expect(await test.request('GET', `/health/${probe}`)).toMatchObject({
          status: 503,
          body: {
            checks: {
              database: { status: 'up' },
              indexes: {
                status: 'down',
                message: expect.stringContaining(`sessions.${unique?.name ?? ''}`) as unknown,
              },
            },
          },
        });
      await test.app.get(IndexManager).ensure();
      for (const probe of ['ready', 'startup'])
        await eventually(async () => (await test.request('GET', `/health/${probe}`)).status === 200);
    } finally {
      await test.close();
    }
  });
});

describe('a job that is queued for too long', () => {
  it('sets the status of ready to degraded, but never returns 503', async () => {
    const test = await createTestApp({ HEALTH_BACKLOG_MAX_AGE_MS: '100', WORKERS: 'off' });
    try {
      const tenant = await test.createTenant();
      const { body } = await tenant.request<{ conversation: { id: string } }>('POST', '/v1/messages', {
        participantId: 'ana',
        channel: 'web',
        content: 'Hello',
      });
      await tenant.request('POST', `/v1/conversations/${body.conversation.id}/close`);
      // The workers of this application are not started, so the job that closing enqueues stays queued.
      const statuses: number[] = [];
      await eventually(async () => {
        const answer = await test.request<ProbeBody>('GET', '/health/ready');
        statuses.push(answer.status);
        return answer.body.checks['queues']?.['status'] === 'degraded';
      });
      expect(new Set(statuses)).toEqual(new Set([200]));
    } finally {
      await test.close();
    }
  });
});
