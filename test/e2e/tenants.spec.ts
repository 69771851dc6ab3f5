import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createTestApp, type TestApp, type TestResponse, type TestTenant } from '../support/app.js';

interface TenantBody {
  id: string;
  name: string;
  plan: string;
  isActive: boolean;
  features: Record<string, boolean>;
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

/** A responder endpoint that counts its calls. */
async function startEndpoint(): Promise<{ url: string; calls: () => number; close: () => Promise<void> }> {
  let calls = 0;
  const server = createServer((request, response) => {
    calls++;
    request.resume();
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ reply: { content: 'here' } }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    calls: () => calls,
    close: () =>
      new Promise((resolve, reject) => {
        server.closeAllConnections();
        server.close((error) => {
          if (error) reject(error);
          else resolve();
        });
      }),
  };
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
      features: { responder: true, sharedState: true, transcripts: true },
    });
    expect(answer.body.apiKey).toMatch(/^ck_[0-9a-f]{16}_[A-Za-z0-9_-]{43}$/);
    const { status, body } = await whoAmI(answer.body.apiKey);
    expect([status, body]).toEqual([200, { id: 'hooli', name: 'Hooli', plan: 'enterprise' }]);
  });

  it('creates tenants with the free plan unless another plan is given', async () => {
    const { body } = await test.request<Created>('POST', '/v1/tenants', { id: 'plain', name: 'Plain' });
    expect(body.tenant.plan).toBe('free');
  });

  it('returns 409 for an id that is already used', async () => {
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
    ['a letter in the id that looks like another', { id: '\u0430cme', name: 'A' }, /^id: .*ASCII/],
    ['an invisible letter in the id', { id: 'ac\u200bme', name: 'A' }, /^id: .*ASCII/],
    ['an id of dots', { id: '..', name: 'A' }, /^id: .*ASCII/],
    ['an id of 65 characters', { id: 'a'.repeat(65), name: 'A' }, /^id: .*64/],
    ['an empty name', { id: 'a', name: ' ' }, /^name: /],
    ['a line break in the name', { id: 'a', name: 'A\nB' }, /^name: .*control/],
    ['an unknown plan', { id: 'a', name: 'A', plan: 'gold' }, /^plan: /],
    ['an unknown field', { id: 'a', name: 'A', admin: true }, /admin/],
  ])('returns 400 for %s', async (_name, body, detail) => {
    const answer = await test.request<Problem>('POST', '/v1/tenants', body);
    expect(answer.status).toBe(400);
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(answer.body.detail).toMatch(detail);
  });

  it('lists each tenant once across pages', async () => {
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
    'returns 400 for the list with %s',
    async (query) => {
      expect((await test.request('GET', `/v1/tenants?${query}`)).status).toBe(400);
    },
  );

  it('reads and changes a tenant; the change applies to its keys immediately', async () => {
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

  it('rejects requests of an inactive tenant until it is active again', async () => {
    const tenant = await test.createTenant('sleepy');
    await tenant.request('GET', '/v1/tenant');
    await test.request('PATCH', '/v1/tenants/sleepy', { isActive: false });
    const refused = await tenant.request<Problem>('GET', '/v1/tenant');
    expect([refused.status, refused.body.code]).toEqual([403, 'tenant_inactive']);
    await test.request('PATCH', '/v1/tenants/sleepy', { isActive: true });
    expect((await tenant.request('GET', '/v1/tenant')).status).toBe(200);
  });

  describe('features', () => {
    const path = '/v1/tenants/switched';
    const features = async (): Promise<unknown> =>
      (await test.request<TenantBody>('GET', path)).body.features;
    beforeAll(() => test.createTenant('switched'));

    it('are changed individually and leave the others unchanged', async () => {
      const off = await test.request<TenantBody>('PATCH', path, { features: { transcripts: false } });
      expect(off.body.features).toEqual({ responder: true, sharedState: true, transcripts: false });
      await test.request('PATCH', path, { features: { sharedState: false } });
      expect(await features()).toEqual({ responder: true, sharedState: false, transcripts: false });
      await test.request('PATCH', path, { features: { sharedState: true, transcripts: true } });
      expect(await features()).toEqual({ responder: true, sharedState: true, transcripts: true });
    });

    it('are not affected by other changes or by an empty object', async () => {
      await test.request('PATCH', path, { features: { transcripts: false } });
      expect((await test.request('PATCH', path, { plan: 'pro', features: {} })).status).toBe(200);
      await test.request('PATCH', path, { name: 'Renamed' });
      expect(await features()).toEqual({ responder: true, sharedState: true, transcripts: false });
      const { body } = await test.request<{ data: TenantBody[] }>('GET', '/v1/tenants?limit=200');
      expect(body.data.find(({ id }) => id === 'switched')?.features['transcripts']).toBe(false);
    });

    it.each<[string, unknown, RegExp]>([
      ['an unknown feature', { archive: false }, /archive/],
      ['text', { responder: 'false' }, /responder/],
      ['null', null, /^features: /],
      ['a list', [], /^features: /],
    ])('return 400 for %s', async (_name, value, detail) => {
      const before = await features();
      const { status, body } = await test.request<Problem>('PATCH', path, { features: value });
      expect([status, body.detail]).toEqual([400, expect.stringMatching(detail)]);
      expect(await features()).toEqual(before);
    });
  });

  describe('a tenant with its responder switched off', () => {
    interface Exchange {
      conversation: { id: string; messageCount: number };
      message: { id: string; seq: number };
      reply: { content: string } | null;
      session: { version: number; activeGoals: { slots: object }[]; conversationId: string };
    }
    let tenant: TestTenant;
    const say = (content: string, more: object = {}): Promise<TestResponse<Exchange>> =>
      tenant.request('POST', '/v1/messages', { participantId: 'ana', channel: 'web', content, ...more });
    const turn = (responder: boolean): Promise<unknown> =>
      test.request('PATCH', `/v1/tenants/${tenant.tenantId}`, { features: { responder } });
    const stored = (): Promise<unknown[]> =>
      test.database
        .collection('messages')
        .find({ tenantId: tenant.tenantId })
        .sort({ seq: 1 })
        .project({ _id: 0, seq: 1, role: 1, content: 1, answeredBy: 1 })
        .toArray();
    beforeEach(async () => {
      tenant = await test.createTenant();
    });

    it('has its messages stored as processed without a reply, and keeps its session', async () => {
      await turn(false);
      const first = await say('I would like to book a table');
      expect([first.status, first.body.reply]).toEqual([201, null]);
      expect(first.body.session).toMatchObject({
        version: 1,
        activeGoals: [],
        conversationId: first.body.conversation.id,
      });
      const second = await say('Hello?');
      expect(second.body).toMatchObject({
        conversation: { id: first.body.conversation.id, messageCount: 2 },
        message: { seq: 2 },
        reply: null,
        session: { version: 2 },
      });
      expect(await stored()).toEqual([
        { seq: 1, role: 'user', content: 'I would like to book a table', answeredBy: null },
        { seq: 2, role: 'user', content: 'Hello?', answeredBy: null },
      ]);
    });

    it('keeps the goals of its sessions and continues them when the responder is on again', async () => {
      expect((await say('I would like to book a table')).body.reply?.content).toBe('For how many people?');
      await turn(false);
      const silent = await say('4');
      expect([silent.body.reply, silent.body.session.activeGoals[0]?.slots]).toEqual([null, {}]);
      await turn(true);
      const spoken = await say('5');
      expect(spoken.body.reply?.content).toBe('On which day?');
      expect(spoken.body.session.activeGoals[0]?.slots).toEqual({ partySize: 5 });
    });

    it('gets the stored result for a repeated message, also when the responder is on again', async () => {
      await turn(false);
      const first = await say('book a table', { externalId: 'x1' });
      expect([first.status, first.body.reply]).toEqual([201, null]);
      await turn(true);
      const again = await say('book a table', { externalId: 'x1' });
      expect([again.status, again.body]).toEqual([200, first.body]);
    });

    it('has no calls to its own endpoint', async () => {
      const endpoint = await startEndpoint();
      try {
        await tenant.request('PUT', '/v1/responder', {
          type: 'http',
          config: { url: endpoint.url, secret: 'a-secret-of-the-test' },
        });
        await turn(false);
        expect((await say('quiet')).body.reply).toBeNull();
        expect(endpoint.calls()).toBe(0);
        await turn(true);
        expect((await say('loud')).body.reply?.content).toBe('here');
        expect(endpoint.calls()).toBe(1);
      } finally {
        await endpoint.close();
      }
    });

    it('does not affect the responder of another tenant', async () => {
      await turn(false);
      const { body } = await acme.request<Exchange>('POST', '/v1/messages', {
        participantId: 'ana',
        channel: 'web',
        content: 'I would like to book a table',
      });
      expect(body.reply?.content).toBe('For how many people?');
    });
  });

  it('creates, lists and revokes keys', async () => {
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
  ])('returns 404 for %s %s', async (method, path, body, code) => {
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
  ])('allows %s %s for the admin only', async (method, path, body) => {
    const asTenant = await acme.request<Problem>(method, path, body);
    expect([asTenant.status, asTenant.body.code]).toEqual([403, 'admin_key_required']);
    const asNobody = await test.request<Problem>(method, path, body, undefined, null);
    expect([asNobody.status, asNobody.body.code]).toEqual([401, 'api_key_missing']);
    expect(asNobody.headers.get('www-authenticate')).toMatch(/^Bearer/);
  });

  it('returns 403 for the admin key where a tenant is required', async () => {
    const { status, body } = await whoAmI(test.adminKey);
    expect([status, body.code]).toEqual([403, 'tenant_key_required']);
  });

  it.each<[string, string]>([
    ['of the right form', 'ck_0123456789abcdef_' + 'A'.repeat(43)],
    ['of another form', 'nonsense'],
    ['of 5,000 characters', 'x'.repeat(5000)],
  ])('returns 401 for an unknown key %s', async (_name, key) => {
    const { status, body } = await whoAmI(key);
    expect([status, body.code]).toEqual([401, 'api_key_invalid']);
  });

  it('limits the requests of each tenant separately', async () => {
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
