import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createTestApp, type TestApp } from '../support/app.js';

const TOKEN = 'kQ8v-2mXr7Zt_4bNw9Lc5Hy1Ds3Fg6Jp';
const production = { NODE_ENV: 'production', METRICS_TOKEN: TOKEN, WRONG_KEYS_PER_MINUTE: '8' };

let app: TestApp;

const send = (path: string, key?: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(app.url + path, {
    redirect: 'manual',
    headers: { ...(key !== undefined && { authorization: `Bearer ${key}` }), ...headers },
  });
const statusOf = async (...request: Parameters<typeof send>): Promise<number> =>
  (await send(...request)).status;
const from = (address: string): Record<string, string> => ({ 'x-forwarded-for': address });
const asBrowser = { accept: 'text/html' };

describe('in production', () => {
  let tenantKey: string;

  beforeAll(async () => {
    app = await createTestApp(production);
    tenantKey = (await app.createTenant()).apiKey;
  });
  afterAll(() => app.close());

  it('shows the metrics only with METRICS_TOKEN or the admin key', async () => {
    const refused = await send('/metrics');
    expect(refused.status).toBe(401);
    expect(await refused.json()).toMatchObject({ code: 'metrics_token_required' });
    expect(await statusOf('/metrics', tenantKey)).toBe(401);
    expect(await statusOf('/metrics', `${TOKEN}x`)).toBe(401);
    expect(await statusOf('/metrics', app.adminKey)).toBe(200);
    const scraped = await send('/metrics', TOKEN);
    expect(scraped.status).toBe(200);
    expect(await scraped.text()).toContain('colloquy_');
  });

  it('does not count scrapes as wrong keys, and gives the token access to nothing else', async () => {
    for (let i = 0; i < 20; i++) expect(await statusOf('/metrics', TOKEN)).toBe(200);
    expect(await statusOf('/v1/tenants', TOKEN)).toBe(401);
    expect(await statusOf('/v1/tenant', TOKEN)).toBe(401);
    expect(await statusOf('/docs', TOKEN)).toBe(401);
  });

  it('shows the API description only with the admin key, or to operators who are signed in', async () => {
    for (const path of ['/docs', '/docs/', '/docs/openapi.json', '/docs/openapi.yaml', '/%64ocs'])
      expect([path, await statusOf(path)]).toEqual([path, 401]);
    expect(await statusOf('/docs/openapi.json', tenantKey)).toBe(401);
    expect(await statusOf('/docs-yaml')).toBe(404);
    for (const path of ['/docs', '/docs/openapi.json', '/docs/openapi.yaml'])
      expect([path, await statusOf(path, app.adminKey)]).toEqual([path, 200]);

    const redirected = await send('/docs', undefined, asBrowser);
    expect([redirected.status, redirected.headers.get('location')]).toEqual([303, '/admin/docs']);
    const toForm = await send('/admin/docs', undefined, asBrowser);
    expect([toForm.status, toForm.headers.get('location')]).toEqual([
      303,
      '/admin/login?next=%2Fadmin%2Fdocs',
    ]);
    const signedIn = await fetch(`${app.url}/admin/login`, {
      method: 'POST',
      redirect: 'manual',
      headers: { origin: app.url },
      body: new URLSearchParams({ key: app.adminKey }),
    });
    const cookie = signedIn.headers.getSetCookie()[0]?.split(';')[0] ?? '';
    const page = await send('/admin/docs', undefined, { cookie });
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('swagger-ui')]);
    expect(await statusOf('/admin/docs/openapi.json', undefined, { cookie })).toBe(200);
  });
});

describe('in production, with settings that open or close routes', () => {
  afterEach(() => app.close());

  it('shows to everybody what a setting makes public', async () => {
    app = await createTestApp({ NODE_ENV: 'production', METRICS: 'public', DOCS: 'public' });
    expect([await statusOf('/metrics'), await statusOf('/docs/openapi.json')]).toEqual([200, 200]);
  });

  it('has no route for what a setting switches off', async () => {
    app = await createTestApp({ NODE_ENV: 'production', METRICS: 'off', DOCS: 'off' });
    for (const path of ['/metrics', '/docs', '/docs/openapi.json', '/admin/docs'])
      expect([path, await statusOf(path, app.adminKey)]).toEqual([path, 404]);
  });
});

describe('after too many wrong keys in production', () => {
  afterEach(() => app.close());

  it('answers 429 at /metrics too, also to the right admin key, but not to the token or to probes', async () => {
    app = await createTestApp({ ...production, WRONG_KEYS_PER_MINUTE: '3' });
    const guesses: number[] = [];
    for (let n = 0; n < 4; n++) guesses.push(await statusOf('/metrics', `guess-${n}`));
    expect(guesses).toEqual([401, 401, 401, 429]);
    const refused = await send('/metrics', app.adminKey);
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
    expect([refused.status, await refused.json()]).toEqual([
      429,
      expect.objectContaining({ code: 'too_many_wrong_keys' }),
    ]);
    expect(await statusOf('/metrics')).toBe(401);
    expect(await statusOf('/metrics', TOKEN)).toBe(200);
    expect(await statusOf('/health/live', 'guess-4')).toBe(200);
  });
});

describe('the address of a client', () => {
  afterEach(() => app.close());

  const guess = async (headersOf: (n: number) => Record<string, string>): Promise<number[]> => {
    const statuses: number[] = [];
    for (let n = 0; n < 4; n++) statuses.push(await statusOf('/v1/tenants', 'guess', headersOf(n)));
    return statuses;
  };

  it('is that of the connection by default, whatever the client writes', async () => {
    app = await createTestApp({ WRONG_KEYS_PER_MINUTE: '3' });
    expect(await guess((n) => from(`192.0.2.${n}`))).toEqual([401, 401, 401, 429]);
  });

  it.each(['1', 'loopback', '127.0.0.0/8'])(
    'is what the proxy appended, not what the client wrote before that, with TRUST_PROXY=%s',
    async (trust) => {
      app = await createTestApp({ WRONG_KEYS_PER_MINUTE: '3', TRUST_PROXY: trust });
      expect(await guess((n) => from(`198.51.100.${n}, 192.0.2.1`))).toEqual([401, 401, 401, 429]);
      expect(await guess((n) => from(`192.0.2.1, 192.0.2.${10 + n}`))).toEqual([401, 401, 401, 401]);
    },
  );

  it('is that of a connection from outside the networks of TRUST_PROXY', async () => {
    app = await createTestApp({ WRONG_KEYS_PER_MINUTE: '3', TRUST_PROXY: '10.0.0.0/8' });
    expect(await guess((n) => from(`192.0.2.${n}`))).toEqual([401, 401, 401, 429]);
  });
});

it('docs/security.md names only tests that exist', () => {
  const text = readFileSync(resolve('docs', 'security.md'), 'utf8');
  const named = [...text.matchAll(/`([\w./-]+\.spec\.ts)`/g)].map(([, file = '']) => file);
  expect(named.length).toBeGreaterThan(25);
  expect(named.filter((file) => !existsSync(resolve(file)))).toEqual([]);
});
