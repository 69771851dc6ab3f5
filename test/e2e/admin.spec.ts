import { createHmac } from 'node:crypto';
import { z } from 'zod';
import { SESSION_MS } from '../../src/admin/session/admin-sessions.js';
import { defineQueue, type Job, type JobState, QueueService } from '../../src/queue/index.js';
import { ApiClient } from '../../src/cli/index.js';
import { createTestApp, type TestApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { processorOf } from '../support/processor-of.js';
import { describeWithRedis, type RedisProcess, redisPrefix, startRedis } from '../support/redis.js';

const payload = z.strictObject({ text: z.string() });
const letters = defineQueue({
  name: 'letters',
  payload,
  attempts: 1,
  dedupeKey: ({ text }) => text,
});

const hostile = '<script>alert(1)</script>';

let admin: TestApp;
let work: jest.Mock<Promise<unknown>, [Job<{ text: string }>]>;

const queues = (): QueueService => admin.app.get(QueueService);

const start = async (settings: Readonly<Record<string, string>> = {}, adminKey?: string): Promise<void> => {
  work = jest.fn((_job) => Promise.resolve({ sent: true }));
  admin = await createTestApp(settings, {
    queues: [letters],
    processors: [processorOf(letters, (job: Job<{ text: string }>) => work(job))],
    ...(adminKey !== undefined && { adminKey }),
  });
};

const send = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(admin.url + path, { redirect: 'manual', ...init });

const login = (fields: Record<string, string>, headers: Record<string, string> = {}): Promise<Response> =>
  send('/admin/login', {
    method: 'POST',
    headers: { origin: admin.url, ...headers },
    body: new URLSearchParams(fields),
  });

const cookieOf = (answer: Response): string => answer.headers.getSetCookie()[0]?.split(';')[0] ?? '';
const signIn = async (): Promise<string> => cookieOf(await login({ key: admin.adminKey }));
const isIn = async (cookie: string): Promise<boolean> =>
  (await send('/admin/queues/api/queues', { headers: { cookie } })).status === 200;
const bearer = (key: string): Record<string, string> => ({ authorization: `Bearer ${key}` });

const reaches = async (id: string, state: JobState): Promise<void> => {
  await eventually(async () => (await queues().find('letters', id))?.state === state);
};
const enqueue = async (text: string, delayMs = 0): Promise<string> =>
  (await queues().enqueue(letters, 'acme', { text }, { delayMs })).id;
async function failedJob(text = `a payload of ${hostile}`): Promise<string> {
  work.mockRejectedValueOnce(new Error(`no such address ${hostile}`));
  const id = await enqueue(text);
  await reaches(id, 'failed');
  return id;
}

describe('signing in to the admin pages', () => {
  beforeAll(() => start());
  afterAll(() => admin.close());

  it('redirects a browser to the sign-in page and back, and returns a problem document to other clients', async () => {
    const page = await send('/admin/queues/queue/letters?status=failed', {
      headers: { accept: 'text/html' },
    });
    expect(page.status).toBe(303);
    const form = page.headers.get('location') ?? '';
    expect(form).toBe(`/admin/login?next=${encodeURIComponent('/admin/queues/queue/letters?status=failed')}`);
    expect(await (await send(form)).text()).toContain(
      'name="next" value="/admin/queues/queue/letters?status=failed"',
    );
    const answer = await login({ key: admin.adminKey, next: '/admin/queues/queue/letters?status=failed' });
    expect(answer.status).toBe(303);
    expect(answer.headers.get('location')).toBe('/admin/queues/queue/letters?status=failed');

    const refused = await send('/admin/queues/api/queues');
    expect(refused.status).toBe(401);
    expect(refused.headers.get('www-authenticate')).toContain('Bearer');
    expect(await refused.json()).toMatchObject({ status: 401, code: 'admin_login_required' });
  });

  it('sets an HttpOnly, SameSite cookie for the admin pages only', async () => {
    const { headers } = await login({ key: admin.adminKey });
    const [cookie = '', ...more] = headers.getSetCookie();
    expect(more).toEqual([]);
    expect(cookie.split('; ').slice(1)).toEqual([
      'Path=/admin',
      `Max-Age=${SESSION_MS / 1000}`,
      'HttpOnly',
      'SameSite=Strict',
    ]);
    expect(cookie).not.toContain(admin.adminKey);
    expect(headers.get('cache-control')).toBe('no-store');
  });

  it.each([
    '/admin',
    '/admin/queues',
    '/admin/queues/',
    '/%61dmin/queues',
    '/admin/queues/static/favicon.ico',
    '/admin/dashboard',
    '/admin/dashboard/events',
    '/admin/dashboard/assets/dashboard.js',
    '/admin/nothing',
  ])('denies access to %s without a sign-in', async (path) => {
    expect((await send(path)).status).toBe(401);
    expect((await send(path, { headers: { cookie: await signIn() } })).status).not.toBe(401);
  });

  it('rejects a wrong key with a page that explains it', async () => {
    for (const key of ['wrong', '', `${admin.adminKey}x`]) {
      const answer = await login({ key });
      expect(answer.status).toBe(401);
      expect(answer.headers.getSetCookie()).toEqual([]);
      expect(await answer.text()).toContain('This is not the admin key.');
    }
    expect((await login({})).status).toBe(401);
  });

  it('rejects forged or modified cookies', async () => {
    const cookie = await signIn();
    expect(await isIn(cookie)).toBe(true);
    expect(await isIn(`other=1; ${cookie}; more=2`)).toBe(true);
    const [name = '', value = ''] = cookie.split('=');
    const [end = '', nonce = ''] = value.split('.');
    const content = `${end}.${nonce}`;
    const byKey = createHmac('sha256', admin.adminKey).update(content).digest('base64url');
    const later = value.replace(end, (parseInt(end, 36) + 60_000).toString(36));
    for (const forged of ['', 'true', admin.adminKey, later, `${content}.${byKey}`, `${value.slice(0, -1)}_`])
      expect(await isIn(`${name}=${forged}`)).toBe(false);
    expect(await isIn(`not_${cookie}`)).toBe(false);
  });

  it('rejects an expired cookie', async () => {
    const now = jest.spyOn(Date, 'now');
    try {
      const real = Date.now();
      now.mockReturnValue(real - SESSION_MS + 60_000);
      const fresh = await signIn();
      now.mockReturnValue(real - SESSION_MS - 1);
      const old = await signIn();
      now.mockReturnValue(real);
      expect(await isIn(fresh)).toBe(true);
      expect(await isIn(old)).toBe(false);
    } finally {
      now.mockRestore();
    }
  });

  it('redirects only to pages of this service', async () => {
    for (const next of ['https://evil.example/', '//evil.example/admin', '/\\evil.example', '/v1/tenants']) {
      const answer = await login({ key: admin.adminKey, next });
      expect(answer.headers.get('location')).toBe('/admin/dashboard');
      const form = await send(`/admin/login?next=${encodeURIComponent(next)}`);
      expect(await form.text()).toContain('name="next" value="/admin/dashboard"');
    }
    const form = await send(`/admin/login?next=${encodeURIComponent(`/admin/"><script>${hostile}`)}`);
    expect(await form.text()).not.toContain('<script>');
  });

  it('signs out with a form, not with a link', async () => {
    const cookie = await signIn();
    const asked = await send('/admin/logout', { headers: { cookie } });
    expect(asked.status).toBe(200);
    expect(asked.headers.getSetCookie()).toEqual([]);
    const done = await send('/admin/logout', { method: 'POST', headers: { cookie, origin: admin.url } });
    expect(done.headers.get('location')).toBe('/admin/login');
    expect(done.headers.getSetCookie()[0]).toMatch(/^colloquy_admin=; Path=\/admin; Max-Age=0;/);
    expect(await isIn(cookieOf(done))).toBe(false);
  });

  it('ends the session when the operator signs out, so that no copy of the cookie works, in no process', async () => {
    const other = await createTestApp({}, { database: admin.database, adminKey: admin.adminKey });
    try {
      const isInElsewhere = async (cookie: string): Promise<boolean> =>
        (await fetch(`${other.url}/admin/queues/api/queues`, { headers: { cookie } })).status === 200;
      const [cookie, another] = [await signIn(), await signIn()];
      expect([await isIn(cookie), await isInElsewhere(cookie)]).toEqual([true, true]);
      await send('/admin/logout', { method: 'POST', headers: { cookie, origin: admin.url } });
      expect([await isIn(cookie), await isInElsewhere(cookie)]).toEqual([false, false]);
      expect([await isIn(another), await isInElsewhere(another)]).toEqual([true, true]);
      expect((await send('/admin/login', { headers: { cookie } })).status).toBe(200);
    } finally {
      await other.close();
    }
  });

  it('also accepts the admin key as a bearer token, but no tenant key', async () => {
    const { status, body } = await new ApiClient(admin.url, admin.adminKey).request('POST', '/v1/tenants', {
      id: 'acme',
      name: 'Acme',
    });
    expect(status).toBe(201);
    const { apiKey } = body as { apiKey: string };
    const path = '/admin/queues/api/queues';
    expect((await send(path, { headers: bearer(admin.adminKey) })).status).toBe(200);
    expect((await send(path, { headers: bearer(apiKey) })).status).toBe(401);
    expect((await send('/admin', { headers: bearer(apiKey) })).status).toBe(401);
    expect((await login({ key: apiKey })).status).toBe(401);
    // A valid cookie does not compensate for a wrong key.
    const cookie = await signIn();
    expect((await send(path, { headers: { ...bearer(apiKey), cookie } })).status).toBe(401);
  });

  it('accepts the cookie for the admin pages only', async () => {
    const cookie = await signIn();
    for (const path of ['/v1/tenants', '/v1/queues', '/v1/conversations'])
      expect((await send(path, { headers: { cookie } })).status).toBe(401);
  });

  it('rejects cross-site requests, both with the cookie and to the sign-in page', async () => {
    const cookie = await signIn();
    const put = (headers: Record<string, string>): Promise<Response> =>
      send('/admin/queues/api/queues/letters/retry/failed', { method: 'PUT', headers });
    for (const foreign of [
      {},
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: admin.url, 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ])
      expect((await put({ cookie, ...foreign } as Record<string, string>)).status).toBe(403);
    expect((await put({ cookie, origin: admin.url })).status).toBe(200);
    // A client that sends the key is not a browser tricked by another site.
    expect((await put(bearer(admin.adminKey))).status).toBe(200);
    expect((await login({ key: admin.adminKey }, { origin: 'https://evil.example' })).status).toBe(403);
    const logout = await send('/admin/logout', { method: 'POST', headers: { cookie } });
    expect(logout.status).toBe(403);
    expect(await logout.json()).toMatchObject({ code: 'foreign_origin' });
  });

  it('parses forms on the admin pages only', async () => {
    const answer = await send('/v1/tenants', {
      method: 'POST',
      headers: bearer(admin.adminKey),
      body: new URLSearchParams({ id: 'x', name: 'x' }),
    });
    expect(answer.status).toBe(415);
    expect(await answer.json()).toMatchObject({ code: 'unsupported_media_type' });
  });

  it('has a content security policy that allows only its own scripts and styles', async () => {
    const { headers } = await send('/admin/login');
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain("script-src 'self';");
    expect(policy).toContain("form-action 'self'");
    expect(headers.get('x-frame-options')).toBe('SAMEORIGIN');
    const board = await send('/admin/queues', { headers: { cookie: await signIn() } });
    expect(await board.text()).not.toContain('https://');
  });
});

describe('guessing the admin key', () => {
  const LIMIT = 6;
  const from = (address: string): Record<string, string> => ({ 'x-forwarded-for': address });

  beforeEach(() => start({ TRUST_PROXY: 'loopback', WRONG_KEYS_PER_MINUTE: String(LIMIT) }));
  afterEach(() => admin.close());

  const tryKey = (address: string): Promise<Response> => login({ key: 'guess' }, from(address));
  const guess = async (address: string): Promise<void> => {
    for (let i = 0; i < LIMIT; i++) expect((await tryKey(address)).status).toBe(401);
    expect((await tryKey(address)).status).toBe(429);
  };

  it('rate-limits an address after too many wrong keys, on every route', async () => {
    for (let i = 0; i < LIMIT - 2; i++) expect((await tryKey('192.0.2.1')).status).toBe(401);
    const key = { ...bearer('guess'), ...from('192.0.2.1') };
    expect((await send('/admin/queues', { headers: key })).status).toBe(401);
    expect((await send('/v1/tenants', { headers: key })).status).toBe(401);
    for (const path of ['/admin/queues', '/v1/tenants', '/v1/messages', '/v1/sessions/ann']) {
      const refused = await send(path, { headers: key });
      expect([path, refused.status]).toEqual([path, 429]);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(await refused.json()).toMatchObject({ code: 'too_many_wrong_keys' });
    }

    const blocked = await login({ key: admin.adminKey }, from('192.0.2.1'));
    expect(blocked.status).toBe(429);
    expect(Number(blocked.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(blocked.headers.getSetCookie()).toEqual([]);
    expect(await blocked.text()).toContain('Too many wrong keys');
    const alsoBlocked = await send('/admin/queues', {
      headers: { ...bearer(admin.adminKey), ...from('192.0.2.1') },
    });
    expect(alsoBlocked.status).toBe(429);
    const overTheApi = await send('/v1/tenants', {
      headers: { ...bearer(admin.adminKey), ...from('192.0.2.1') },
    });
    expect(overTheApi.status).toBe(429);

    expect((await login({ key: admin.adminKey }, from('192.0.2.2'))).status).toBe(303);
    expect(await (await send('/metrics')).text()).toMatch(
      /^colloquy_wrong_keys_total\{outcome="throttled"\} [1-9]/m,
    );
  });

  it('does not lock out tenants, signed-in operators or known operators behind the same address', async () => {
    const office = from('192.0.2.1');
    const tenant = await admin.createTenant();
    expect((await send('/v1/tenants', { headers: { ...bearer(admin.adminKey), ...office } })).status).toBe(
      200,
    );
    await guess('192.0.2.1');
    expect((await send('/v1/tenants', { headers: { ...bearer(admin.adminKey), ...office } })).status).toBe(
      200,
    );
    expect((await send('/v1/tenant', { headers: { ...bearer(tenant.apiKey), ...office } })).status).toBe(200);

    const elsewhere = from('192.0.2.2');
    const cookie = cookieOf(await login({ key: admin.adminKey }, from('192.0.2.3')));
    await guess('192.0.2.2');
    expect((await send('/v1/tenant', { headers: { ...bearer(tenant.apiKey), ...elsewhere } })).status).toBe(
      200,
    );
    expect((await send('/admin/queues/api/queues', { headers: { cookie, ...elsewhere } })).status).toBe(200);
    expect((await login({ key: admin.adminKey }, { ...elsewhere, cookie })).status).toBe(303);
  });

  it('does not show operators what public routes show them only with the key', async () => {
    const readiness = async (key: string, address: string): Promise<unknown> =>
      await (await send('/health/ready', { headers: { ...bearer(key), ...from(address) } })).json();
    const forOperators = await readiness(admin.adminKey, '192.0.2.1');
    const forOthers = await readiness('guess', '192.0.2.9');
    expect(forOperators).not.toEqual(forOthers);
    for (let i = 0; i < LIMIT; i++) await readiness('guess', '192.0.2.4');
    expect(Object.keys((await readiness(admin.adminKey, '192.0.2.4')) as object)).toEqual(
      Object.keys(forOthers as object),
    );
  });

  it('marks the cookie Secure when the request reached the proxy over HTTPS', async () => {
    const host = new URL(admin.url).host;
    const answer = await login(
      { key: admin.adminKey },
      { 'x-forwarded-proto': 'https', origin: `https://${host}` },
    );
    expect(answer.headers.getSetCookie()[0]).toMatch(/; Secure$/);
  });
});

it('accepts the cookie of another process with the same key, and invalidates all sessions when the key changes', async () => {
  const key = 'one-admin-key-for-two-processes';
  await start({}, key);
  const cookie = await signIn();
  await admin.close();
  await start({}, key);
  expect(await isIn(cookie)).toBe(true);
  await admin.close();
  await start({}, `${key}-changed`);
  expect(await isIn(cookie)).toBe(false);
  await admin.close();
});

interface BoardJob {
  id: string;
  name: string;
  data: unknown;
  returnValue: unknown;
  failedReason: string;
  stacktrace: string[];
}

function promisesOfTheBoard(withRedis: boolean): void {
  let cookie: string;
  const board = async <Body>(method: string, path: string): Promise<{ status: number; body: Body }> => {
    const answer = await send(`/admin/queues/api/queues${path}`, {
      method,
      headers: { cookie, origin: admin.url },
    });
    const text = await answer.text();
    return { status: answer.status, body: (text === '' ? {} : JSON.parse(text)) as Body };
  };
  const api = <Body>(method: string, path: string): Promise<{ status: number; body: Body }> =>
    new ApiClient(admin.url, admin.adminKey).request(method, path) as Promise<{ status: number; body: Body }>;

  beforeEach(async () => {
    work = jest.fn((_job) => Promise.resolve({ sent: true }));
    cookie = await signIn();
  });
  afterEach(() => admin.database.collection('jobs').deleteMany({}));

  it('shows counts and failed jobs without payloads, and the payload only on the page of the job', async () => {
    const id = await failedJob();
    const list = await board<{ queues: { name: string; counts: object; jobs: BoardJob[] }[] }>(
      'GET',
      '?activeQueue=letters&status=failed&page=1&jobsPerPage=10',
    );
    // The application also has its own queue.
    expect(list.body.queues.filter(({ name }) => name === 'letters')).toMatchObject([
      {
        name: 'letters',
        description: 'no jobs waiting',
        counts: { failed: 1, waiting: 0 },
        jobs: [{ id, name: 'acme', failedReason: `no such address ${hostile}` }],
      },
    ]);
    expect(JSON.stringify(list.body)).not.toContain('a payload of');
    const one = await board<{ job: BoardJob; status: string }>('GET', `/letters/${id}`);
    expect(one.body).toMatchObject({ status: 'failed', job: { data: { text: `a payload of ${hostile}` } } });
    expect(one.body.job.stacktrace[0]).toContain('Attempt 1');
    expect((await board('GET', '/letters/not-an-id')).status).toBe(404);
  });

  it('retries a failed job in both the job record and the driver, and the job completes', async () => {
    const id = await failedJob();
    expect((await board('PUT', `/letters/${id}/retry`)).status).toBe(204);
    await reaches(id, 'completed');
    expect(work).toHaveBeenCalledTimes(2);
    // The job has completed, so a second click has no effect.
    const again = await board('PUT', `/letters/${id}/retry`);
    expect(again.status).toBe(409);
    expect(again.body).toMatchObject({ message: expect.stringContaining('Only a failed job') });
    expect(work).toHaveBeenCalledTimes(2);
  });

  it('retries all failed jobs, and removes the completed ones', async () => {
    const ids = [await failedJob('one'), await failedJob('two'), await failedJob('three')];
    expect((await board('PUT', '/letters/retry/failed')).body).toMatchObject({ retried: 3 });
    for (const id of ids) await reaches(id, 'completed');
    expect((await board('PUT', '/letters/clean/completed')).status).toBe(200);
    expect((await queues().status('letters')).counts).toMatchObject({ completed: 0, failed: 0 });
  });

  it('promotes a delayed job', async () => {
    const id = await enqueue('later', 3_600_000);
    // With Redis, the job is first handed over to BullMQ.
    await eventually(async () => !(withRedis && (await queues().find('letters', id))?.isUnhanded));
    expect(work).not.toHaveBeenCalled();
    expect((await board('PUT', `/letters/${id}/promote`)).status).toBe(204);
    await reaches(id, 'completed');
    expect((await board('PUT', `/letters/${id}/promote`)).status).toBe(409);
  });

  it('removes a job that is not running, and reports an error for one that is', async () => {
    const failed = await failedJob();
    expect((await board('PUT', `/letters/${failed}/clean`)).status).toBe(204);
    expect(await queues().find('letters', failed)).toBeNull();
    let finish = (): void => undefined;
    work.mockReturnValueOnce(
      new Promise((resolve) => {
        finish = () => {
          resolve('done');
        };
      }),
    );
    const active = await enqueue('slow');
    await reaches(active, 'active');
    expect((await board('PUT', `/letters/${active}/clean`)).status).toBe(409);
    expect((await api('DELETE', `/v1/queues/letters/jobs/${active}`)).status).toBe(409);
    finish();
    await reaches(active, 'completed');
  });

  it('rejects actions that would change only Redis', async () => {
    const id = await failedJob();
    for (const [method, path] of [
      ['PUT', '/letters/pause'],
      ['PUT', '/letters/empty'],
      ['PUT', '/letters/obliterate'],
      ['PUT', '/letters/clean/delayed'],
      ['PUT', '/letters/clean/wait'],
      ['POST', '/letters/add'],
      ['PATCH', `/letters/${id}/update-data`],
      ['PATCH', `/letters/${id}/delay`],
      ['PUT', '/pause'],
    ] as const) {
      const { status, body } = await board(method, path);
      expect({ path, status, body }).toMatchObject({
        path,
        status: 403,
        body: { message: expect.stringContaining('Only the application creates jobs') },
      });
    }
    expect((await queues().find('letters', id))?.state).toBe('failed');
  });

  it('provides the same through the API: /v1/queues', async () => {
    const first = await failedJob('one');
    const second = await failedJob('two');
    const { body } = await api<{ data: { name: string }[] }>('GET', '/v1/queues');
    expect(body.data.filter(({ name }) => name === 'letters')).toEqual([
      {
        name: 'letters',
        counts: { waiting: 0, delayed: 0, active: 0, completed: 0, failed: 2 },
        oldestWaitingMs: null,
      },
    ]);
    interface Page {
      data: { id: string; tenantId: string }[];
      nextCursor: string | null;
    }
    const page = await api<Page>('GET', '/v1/queues/letters/jobs?state=failed&limit=1');
    expect(page.body.data).toMatchObject([{ id: second, tenantId: 'acme', state: 'failed', attempts: 1 }]);
    const cursor = encodeURIComponent(page.body.nextCursor ?? '');
    const rest = await api<Page>('GET', `/v1/queues/letters/jobs?state=failed&limit=1&cursor=${cursor}`);
    expect(rest.body).toMatchObject({ data: [{ id: first }], nextCursor: null });
    expect(JSON.stringify([page.body, rest.body])).not.toContain('payload');

    expect((await api('POST', `/v1/queues/letters/jobs/${first}/retry`)).body).toMatchObject({
      id: first,
      state: 'waiting',
    });
    await reaches(first, 'completed');
    const again = await api('POST', `/v1/queues/letters/jobs/${first}/retry`);
    expect(again).toMatchObject({ status: 409, body: { code: 'job_not_failed' } });
    expect((await api('DELETE', `/v1/queues/letters/jobs/${second}`)).status).toBe(204);
    const gone = await api('DELETE', `/v1/queues/letters/jobs/${second}`);
    expect(gone).toMatchObject({ status: 404, body: { code: 'job_not_found' } });
    const unknown = await api('GET', '/v1/queues/unheard-of/jobs');
    expect(unknown).toMatchObject({ status: 404, body: { code: 'queue_not_found' } });
    expect((await api('GET', '/v1/queues/letters/jobs?state=lost')).status).toBe(400);
  });
}

describe('the queue board with jobs in the database', () => {
  beforeAll(async () => {
    await start();
    await admin.startWorkers();
  });
  afterAll(() => admin.close());
  promisesOfTheBoard(false);
});

describeWithRedis('the queue board with BullMQ', () => {
  let server: RedisProcess;
  beforeAll(async () => {
    server = await startRedis();
    await start({
      REDIS_URL: server.url,
      REDIS_KEY_PREFIX: redisPrefix(),
      // A busy machine responds slowly, which is not under test here.
      REDIS_COMMAND_TIMEOUT_MS: '2000',
    });
    await admin.startWorkers();
  });
  afterAll(async () => {
    await admin.close();
    await server.remove();
  });
  promisesOfTheBoard(true);

  it('reports Redis', async () => {
    const cookie = await signIn();
    const answer = await send('/admin/queues/api/redis/stats', { headers: { cookie } });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ version: expect.stringMatching(/^\d+\./) });
  });

  // This test kills the server, so it runs last.
  it('shows the job record during a Redis outage', async () => {
    const id = await failedJob();
    const cookie = await signIn();
    await server.signal('SIGKILL');
    const answer = await send(`/admin/queues/api/queues/letters/${id}`, { headers: { cookie } });
    expect(await answer.json()).toMatchObject({ status: 'failed' });
    await server.restart();
  });
});
