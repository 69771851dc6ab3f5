import { createTestApp, type TestApp, type TestTenant } from '../support/app.js';

interface TenantBody {
  id: string;
  name: string;
  plan: string;
  isActive: boolean;
}
interface Created {
  tenant: TenantBody;
  apiKey: string;
}
interface KeyBody {
  id: string;
  hint: string;
  createdAt: string;
  revokedAt: string | null;
}
interface Problem {
  code: string;
  status: number;
  detail: string;
}

describe('tenants over HTTP', () => {
  let test: TestApp;
  let acme: TestTenant;

  beforeAll(async () => {
    test = await createTestApp();
    acme = await test.createTenant('acme');
  });
  afterAll(() => test.close());

  const whoAmI = (key: string | null): Promise<{ status: number; body: Problem & TenantBody }> =>
    test.request<Problem & TenantBody>('GET', '/v1/tenant', undefined, undefined, key);

  it('creates a tenant whose key works', async () => {
    const answer = await test.request<Created>('POST', '/v1/tenants', {
      id: 'hooli',
      name: 'Hooli',
      plan: 'enterprise',
    });
    expect(answer.status).toBe(201);
    expect(answer.body.tenant).toMatchObject({
      id: 'hooli',
      name: 'Hooli',
      plan: 'enterprise',
      isActive: true,
    });
    expect(answer.body.apiKey).toMatch(/^ck_[0-9a-f]{16}_[A-Za-z0-9_-]{43}$/);
    const { status, body } = await whoAmI(answer.body.apiKey);
    expect([status, body]).toEqual([200, { id: 'hooli', name: 'Hooli', plan: 'enterprise' }]);
  });

  it('makes new tenants free unless a plan is given', async () => {
    const { body } = await test.request<Created>('POST', '/v1/tenants', { id: 'plain', name: 'Plain' });
    expect(body.tenant.plan).toBe('free');
  });

  it('answers 409 to an id that is taken', async () => {
    const { status, body } = await test.request<Problem>('POST', '/v1/tenants', {
      id: 'acme',
      name: 'Again',
    });
    expect([status, body.code]).toEqual([409, 'tenant_exists']);
  });

  it.each<[string, unknown, RegExp]>([
    ['no body', undefined, /./],
    ['no id', { name: 'A' }, /^id: /],
    ['a query operator as id', { id: { $gt: '' }, name: 'A' }, /^id: /],
    ['a slash in the id', { id: 'a/b', name: 'A' }, /^id: /],
    ['an id of 65 characters', { id: 'a'.repeat(65), name: 'A' }, /^id: .*64/],
    ['an empty name', { id: 'a', name: ' ' }, /^name: /],
    ['a line break in the name', { id: 'a', name: 'A\nB' }, /^name: .*control/],
    ['an unknown plan', { id: 'a', name: 'A', plan: 'gold' }, /^plan: /],
    ['an unknown field', { id: 'a', name: 'A', admin: true }, /admin/],
  ])('answers 400 to %s', async (_name, body, detail) => {
    const answer = await test.request<Problem>('POST', '/v1/tenants', body);
    expect(answer.status).toBe(400);
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(answer.body.detail).toMatch(detail);
  });

  it('lists all tenants by pages, each once', async () => {
    for (let i = 0; i < 5; i++) await test.createTenant();
    const seen: string[] = [];
    let path: string | undefined = '/v1/tenants?limit=2';
    while (path !== undefined) {
      const { body }: { body: { data: TenantBody[]; nextCursor: string | null } } = await test.request(
        'GET',
        path,
      );
      expect(body.data.length).toBeLessThanOrEqual(2);
      seen.push(...body.data.map(({ id }) => id));
      path = body.nextCursor === null ? undefined : `/v1/tenants?limit=2&cursor=${body.nextCursor}`;
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.length).toBe(await test.database.collection('tenants').countDocuments({}));
  });

  it.each(['limit=0', 'limit=201', 'limit=x', 'cursor=nonsense', 'unknown=1'])(
    'answers 400 to the list with %s',
    async (query) => {
      expect((await test.request('GET', `/v1/tenants?${query}`)).status).toBe(400);
    },
  );

  it('reads and changes a tenant; its keys see the change at once', async () => {
    const tenant = await test.createTenant('changing');
    expect((await tenant.request('GET', '/v1/tenant')).status).toBe(200);
    const changed = await test.request<TenantBody>('PATCH', '/v1/tenants/changing', {
      plan: 'pro',
      name: 'New',
    });
    expect(changed.body).toMatchObject({ id: 'changing', plan: 'pro', name: 'New', isActive: true });
    expect((await test.request<TenantBody>('GET', '/v1/tenants/changing')).body).toEqual(changed.body);
    expect((await tenant.request('GET', '/v1/tenant')).body).toEqual({
      id: 'changing',
      plan: 'pro',
      name: 'New',
    });
  });

  it('shuts an inactive tenant out and lets it in again', async () => {
    const tenant = await test.createTenant('sleepy');
    await tenant.request('GET', '/v1/tenant');
    await test.request('PATCH', '/v1/tenants/sleepy', { isActive: false });
    const refused = await tenant.request<Problem>('GET', '/v1/tenant');
    expect([refused.status, refused.body.code]).toEqual([403, 'tenant_inactive']);
    await test.request('PATCH', '/v1/tenants/sleepy', { isActive: true });
    expect((await tenant.request('GET', '/v1/tenant')).status).toBe(200);
  });

  it('makes, lists and revokes keys', async () => {
    const tenant = await test.createTenant('keys');
    const made = await test.request<{ key: KeyBody; apiKey: string }>('POST', '/v1/tenants/keys/keys');
    expect(made.status).toBe(201);
    expect(made.body.apiKey.startsWith(made.body.key.hint)).toBe(true);
    expect((await whoAmI(made.body.apiKey)).status).toBe(200);

    const listed = await test.request<{ data: KeyBody[] }>('GET', '/v1/tenants/keys/keys');
    expect(listed.body.data).toHaveLength(2);
    expect(listed.body.data[0]).toMatchObject({ id: made.body.key.id, revokedAt: null });
    const text = JSON.stringify(listed.body);
    expect(text).not.toContain('hash');
    expect(text).not.toContain(made.body.apiKey);

    const path = `/v1/tenants/keys/keys/${made.body.key.id}`;
    expect((await test.request('DELETE', path)).status).toBe(204);
    const refused = await whoAmI(made.body.apiKey);
    expect([refused.status, refused.body.code]).toEqual([401, 'api_key_invalid']);
    expect((await tenant.request('GET', '/v1/tenant')).status).toBe(200);
    expect((await test.request('DELETE', path)).status).toBe(204);
  });

  it.each<[string, string, unknown, string]>([
    ['GET', '/v1/tenants/nobody', undefined, 'tenant_not_found'],
    ['PATCH', '/v1/tenants/nobody', { plan: 'pro' }, 'tenant_not_found'],
    ['POST', '/v1/tenants/nobody/keys', undefined, 'tenant_not_found'],
    ['GET', '/v1/tenants/nobody/keys', undefined, 'tenant_not_found'],
    ['DELETE', '/v1/tenants/acme/keys/0123456789abcdef', undefined, 'api_key_not_found'],
  ])('answers 404 to %s %s', async (method, path, body, code) => {
    const answer = await test.request<Problem>(method, path, body);
    expect([answer.status, answer.body.code]).toEqual([404, code]);
  });

  it.each<[string, string, unknown]>([
    ['POST', '/v1/tenants', { id: 'mine', name: 'Mine' }],
    ['GET', '/v1/tenants', undefined],
    ['GET', '/v1/tenants/acme', undefined],
    ['PATCH', '/v1/tenants/acme', { plan: 'enterprise' }],
    ['POST', '/v1/tenants/acme/keys', undefined],
    ['GET', '/v1/tenants/acme/keys', undefined],
    ['DELETE', '/v1/tenants/acme/keys/0123456789abcdef', undefined],
  ])('keeps %s %s for the admin', async (method, path, body) => {
    const asTenant = await acme.request<Problem>(method, path, body);
    expect([asTenant.status, asTenant.body.code]).toEqual([403, 'admin_key_required']);
    const asNobody = await test.request<Problem>(method, path, body, undefined, null);
    expect([asNobody.status, asNobody.body.code]).toEqual([401, 'api_key_missing']);
    expect(asNobody.headers.get('www-authenticate')).toMatch(/^Bearer/);
  });

  it('answers 403 to the admin key where a tenant is needed', async () => {
    const { status, body } = await whoAmI(test.adminKey);
    expect([status, body.code]).toEqual([403, 'tenant_key_required']);
  });

  it.each<[string, string]>([
    ['of the right form', 'ck_0123456789abcdef_' + 'A'.repeat(43)],
    ['of another form', 'nonsense'],
    ['of 5,000 characters', 'x'.repeat(5000)],
  ])('answers 401 to an unknown key %s', async (_name, key) => {
    const { status, body } = await whoAmI(key);
    expect([status, body.code]).toEqual([401, 'api_key_invalid']);
  });

  it('limits the requests of each tenant by itself', async () => {
    const limited = await createTestApp({ RATE_LIMIT_PER_MINUTE: '3' });
    try {
      const busy = await limited.createTenant('busy');
      const calm = await limited.createTenant('calm');
      for (let i = 0; i < 3; i++) expect((await busy.request('GET', '/v1/tenant')).status).toBe(200);
      const refused = await busy.request<Problem>('GET', '/v1/tenant');
      expect([refused.status, refused.body.code]).toEqual([429, 'rate_limited']);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      expect((await calm.request('GET', '/v1/tenant')).status).toBe(200);
    } finally {
      await limited.close();
    }
  });
});
