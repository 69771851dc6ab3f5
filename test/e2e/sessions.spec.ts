import { retryPolicy } from '../../src/common/index.js';
import { sessionStatsSchema } from '../../src/session/session.dto.js';
import { createTestApp, type TestApp, type TestTenant } from '../support/app.js';

interface GoalBody {
  id: string;
  type: string;
  status: string;
  slots: Record<string, unknown>;
}
interface SessionBody {
  participantId: string;
  version: number;
  activeGoals: GoalBody[];
  context: Record<string, unknown>;
  conversationId: string | null;
  expiresAt: string;
}
interface Problem {
  code: string;
  detail: string;
  currentVersion?: number | null;
}

class Refused extends Error {
  constructor(readonly status: number) {
    super(`status ${status}`);
  }
}

describe('sessions over HTTP', () => {
  let test: TestApp;
  let acme: TestTenant;
  let globex: TestTenant;

  beforeAll(async () => {
    test = await createTestApp();
    acme = await test.createTenant('acme');
    globex = await test.createTenant('globex');
  });
  afterAll(() => test.close());

  const patch = (
    participant: string,
    body: unknown,
    headers?: Record<string, string>,
  ): Promise<{ status: number; headers: Headers; body: SessionBody & Problem }> =>
    acme.request<SessionBody & Problem>('PATCH', `/v1/sessions/${participant}`, body, headers);

  it('creates a session with a patch and returns it with its ETag', async () => {
    const made = await patch('ann', { context: { locale: 'pt-PT' }, activeGoals: [{ type: 'book/table' }] });
    expect(made.status).toBe(200);
    expect(made.headers.get('etag')).toMatch(/^"1-[0-9a-f]{24}"$/);
    expect(made.body).toEqual({
      participantId: 'ann',
      version: 1,
      activeGoals: [{ id: expect.any(String) as unknown, type: 'book/table', status: 'active', slots: {} }],
      context: { locale: 'pt-PT' },
      conversationId: null,
      expiresAt: expect.stringMatching(/^\d{4}-.*Z$/) as unknown,
    });
    const read = await acme.request<SessionBody>('GET', '/v1/sessions/ann');
    expect(read.status).toBe(200);
    expect(read.headers.get('etag')).toBe(made.headers.get('etag'));
    expect(read.body).toEqual(made.body);
  });

  it('merges context and replaces goals', async () => {
    await patch('bob', {
      context: { a: 1, b: { c: 2, d: 3 } },
      activeGoals: [{ id: 'g1', type: 'x', slots: { s: 1 } }],
    });
    const { body } = await patch('bob', { context: { a: null, b: { c: 4 } } });
    expect(body).toMatchObject({ version: 2, context: { b: { c: 4, d: 3 } }, activeGoals: [{ id: 'g1' }] });
    expect(body.context).not.toHaveProperty('a');
    expect((await patch('bob', { activeGoals: [] })).body).toMatchObject({ version: 3, activeGoals: [] });
  });

  it('accepts the content type of merge patches, and no others', async () => {
    const merge = await patch(
      'media',
      { context: { n: 1 } },
      { 'content-type': 'application/merge-patch+json' },
    );
    expect(merge.status).toBe(200);
    const other = await patch('media', { context: { n: 2 } }, { 'content-type': 'application/xml' });
    expect(other.status).toBe(415);
  });

  it('rejects a change whose If-Match is outdated', async () => {
    await patch('etag', { context: { n: 1 } });
    const changed = await patch('etag', { context: { n: 2 } }, { 'if-match': '"1"' });
    expect([changed.status, changed.body.version]).toEqual([200, 2]);
    const late = await patch('etag', { context: { n: 3 } }, { 'if-match': '"1"' });
    expect([late.status, late.body.code, late.body.currentVersion]).toEqual([412, 'version_mismatch', 2]);
    expect((await acme.request<SessionBody>('GET', '/v1/sessions/etag')).body.context).toEqual({ n: 2 });
    expect((await patch('etag', {}, { 'if-match': '*' })).status).toBe(200);
    expect((await patch('not-there', {}, { 'if-match': '*' })).status).toBe(412);
    const malformed = await patch('etag', {}, { 'if-match': '2' });
    expect([malformed.status, malformed.body.code]).toEqual([400, 'invalid_if_match']);
  });

  it('lets one of several first writers win with If-None-Match: *', async () => {
    const writers = await Promise.all(
      Array.from({ length: 8 }, (_, n) => patch('first', { context: { n } }, { 'if-none-match': '*' })),
    );
    const won = writers.filter(({ status }) => status === 200);
    expect(writers.map(({ status }) => status).sort()).toEqual([200, ...Array<number>(7).fill(412)]);
    const lost = writers.find(({ status }) => status === 412)?.body;
    expect(lost).toMatchObject({ code: 'version_mismatch', currentVersion: 1 });
    const { body } = await acme.request<SessionBody>('GET', '/v1/sessions/first');
    expect([body.version, body.context]).toEqual([1, won[0]?.body.context]);
  });

  it('applies If-Match and If-None-Match to every route that returns or removes a session', async () => {
    await patch('all', { activeGoals: [{ id: 'g', type: 'a' }] });
    const call = async (method: string, path: string, body: unknown, headers: Record<string, string>) =>
      (await acme.request(method, `/v1/sessions/all${path}`, body, headers)).status;
    const calls: [string, string, unknown][] = [
      ['PATCH', '', {}],
      ['POST', '/goals', { type: 'b' }],
      ['PATCH', '/goals/g', { status: 'completed' }],
      ['DELETE', '', undefined],
    ];
    for (const [method, path, body] of calls) {
      expect(await call(method, path, body, { 'if-match': '"7", W/"1"' })).toBe(412);
      expect(await call(method, path, body, { 'if-none-match': '*' })).toBe(412);
      expect(await call(method, path, body, { 'if-none-match': 'W/"1"' })).toBe(412);
    }
    expect(await call('GET', '', undefined, { 'if-none-match': '"0", W/"1"' })).toBe(304);
    expect(await call('GET', '', undefined, { 'if-none-match': '"2"' })).toBe(200);
    expect(await call('GET', '', undefined, { 'if-match': '"2"' })).toBe(412);
    expect(await call('DELETE', '', undefined, { 'if-match': '"1", "2"', 'if-none-match': '"2"' })).toBe(204);
    expect(await call('DELETE', '', undefined, { 'if-match': '*' })).toBe(412);
  });

  it.each<[string, string]>([
    ['a phone number', '+15550100'],
    ['a mail address', 'ann@example.com'],
    ['mixed marks', 'a.b:c-d_e'],
    ['another script', '日本語'],
    ['256 characters of four bytes', '👋'.repeat(256)],
    ['256 characters that URLs escape', '%/'.repeat(128)],
    ['an Auth0 id', 'auth0|5f7c8ec7c33c6c004bbafe82'],
    ['a Shopify id', 'gid://shopify/Customer/1'],
    ['a Teams id', '19:abc@thread.tacv2;messageid=1481567603816'],
    ['an id that is itself percent-encoded', 'a%2Fb%'],
    ['a space', 'a b'],
    ['a dollar', '$gt'],
    ['marks', 'प्रिया'],
    ['decomposed letters', 'Jose\u0301'],
  ])('accepts %s as participantId', async (_name, participant) => {
    const path = encodeURIComponent(participant);
    expect((await patch(path, { context: { n: 1 } })).body.participantId).toBe(participant);
    expect((await acme.request<SessionBody>('GET', `/v1/sessions/${path}`)).body.participantId).toBe(
      participant,
    );
  });

  it.each<[string, string]>([
    ['NUL', 'a\0b'],
    ['a character that reverses the text', 'a\u202eb'],
    ['257 characters', 'x'.repeat(257)],
    ['the name of the statistics', 'stats'],
  ])('returns 400 for a participantId with %s', async (_name, participant) => {
    const { status, body } = await patch(encodeURIComponent(participant), {});
    expect([status, body.code]).toEqual([400, 'validation_failed']);
  });

  it.each<[string, unknown, RegExp]>([
    ['a patch that is no object', [], /object/],
    ['an unknown member', { version: 7 }, /version/],
    ['context that is no object', { context: 'text' }, /^context: /],
    ['an operator in the context', { context: { n: { $gt: '' } } }, /^context: .*\$/],
    ['a goal without type', { activeGoals: [{ slots: {} }] }, /^activeGoals\.0\.type: /],
    [
      'a goal with an unknown status',
      { activeGoals: [{ type: 'a', status: 'done' }] },
      /^activeGoals\.0\.status: /,
    ],
    [
      'two goals of one id',
      {
        activeGoals: [
          { id: 'a', type: 'a' },
          { id: 'a', type: 'b' },
        ],
      },
      /same id/,
    ],
    ['101 goals', { activeGoals: Array(101).fill({ type: 'a' }) }, /^activeGoals: .*100/],
  ])('returns 400 for %s', async (_name, body, detail) => {
    const answer = await patch('invalid', body);
    expect(answer.status).toBe(400);
    expect(answer.body.detail).toMatch(detail);
    expect((await acme.request('GET', '/v1/sessions/invalid')).status).toBe(404);
  });

  it('returns 400 for __proto__ in a patch', async () => {
    const { status } = await fetch(`${test.url}/v1/sessions/proto`, {
      method: 'PATCH',
      headers: { authorization: `Bearer ${acme.apiKey}`, 'content-type': 'application/merge-patch+json' },
      body: '{"context":{"__proto__":{"admin":true}}}',
    });
    expect(status).toBe(400);
  });

  it('returns 413 for a session above 256 KiB, naming the limit', async () => {
    await patch('big', { context: { a: 'x'.repeat(200 * 1024) } });
    const answer = await patch('big', { context: { b: 'x'.repeat(100 * 1024) } });
    expect([answer.status, answer.body.code]).toEqual([413, 'session_too_large']);
    expect(answer.body.detail).toContain('262144 bytes');
    expect((await patch('big', { context: { a: null, b: 'small' } })).body.context).toEqual({ b: 'small' });
  });

  it('adds, changes and completes goals', async () => {
    const added = await acme.request<GoalBody>('POST', '/v1/sessions/goals/goals', {
      type: 'restaurants/book_table',
      slots: { city: 'Lisbon' },
    });
    expect(added.status).toBe(201);
    expect(added.headers.get('etag')).toMatch(/^"1-/);
    expect(added.body).toMatchObject({
      type: 'restaurants/book_table',
      status: 'active',
      slots: { city: 'Lisbon' },
    });
    const path = `/v1/sessions/goals/goals/${added.body.id}`;
    const filled = await acme.request<GoalBody>('PATCH', path, { slots: { people: 2, city: null } });
    expect([filled.status, filled.headers.get('etag')]).toEqual([200, expect.stringMatching(/^"2-/)]);
    expect(filled.body.slots).toEqual({ people: 2 });
    expect((await acme.request('PATCH', path, { status: 'completed' }, { 'if-match': '"1"' })).status).toBe(
      412,
    );
    await acme.request('PATCH', path, { status: 'completed' }, { 'if-match': '"2"' });
    const { body } = await acme.request<SessionBody>('GET', '/v1/sessions/goals');
    expect(body.activeGoals).toEqual([{ ...added.body, status: 'completed', slots: { people: 2 } }]);
    expect((await acme.request('PATCH', '/v1/sessions/goals/goals/none', {})).status).toBe(404);
  });

  it('keeps the 20 newest finished goals', async () => {
    for (let i = 0; i < 22; i++) {
      const { body } = await acme.request<GoalBody>('POST', '/v1/sessions/finisher/goals', { type: `t${i}` });
      await acme.request('PATCH', `/v1/sessions/finisher/goals/${body.id}`, { status: 'completed' });
    }
    const { body } = await acme.request<SessionBody>('GET', '/v1/sessions/finisher');
    expect(body.activeGoals.map(({ type }) => type)).toEqual(
      Array.from({ length: 20 }, (_, i) => `t${i + 2}`),
    );
  });

  it('returns 400 for the 101st goal', async () => {
    await patch('full', { activeGoals: Array.from({ length: 100 }, (_, i) => ({ type: `t${i}` })) });
    const answer = await acme.request<Problem>('POST', '/v1/sessions/full/goals', { type: 'one-more' });
    expect([answer.status, answer.body.code]).toEqual([400, 'too_many_goals']);
    expect(answer.body.detail).toContain('100 goals');
  });

  it('deletes a session permanently', async () => {
    await patch('leaving', { context: { n: 1 } });
    expect((await acme.request('DELETE', '/v1/sessions/leaving')).status).toBe(204);
    expect((await acme.request('GET', '/v1/sessions/leaving')).status).toBe(404);
    expect((await acme.request('DELETE', '/v1/sessions/leaving')).status).toBe(404);
    expect((await patch('leaving', { context: { m: 1 } })).body).toMatchObject({
      version: 1,
      context: { m: 1 },
    });
  });

  it('counts to 100 when 10 clients increment a number 10 times each with If-Match', async () => {
    await patch('counter', { context: { n: 0 } });
    const addOnce = (): Promise<void> =>
      retryPolicy({
        attempts: Infinity,
        backoff: { baseMs: 20, maxMs: 2000, jitter: 1 },
        isRetryable: (error) => error instanceof Refused && error.status === 412,
      })(async () => {
        const { headers, body } = await acme.request<SessionBody>('GET', '/v1/sessions/counter');
        const next = { context: { n: Number(body.context['n']) + 1 } };
        const { status } = await patch('counter', next, { 'if-match': headers.get('etag') ?? '' });
        if (status !== 200) throw new Refused(status);
      });
    await Promise.all(
      Array.from({ length: 10 }, async () => {
        for (let i = 0; i < 10; i++) await addOnce();
      }),
    );
    const { body } = await acme.request<SessionBody>('GET', '/v1/sessions/counter');
    expect(body).toMatchObject({ version: 101, context: { n: 100 } });
  });

  it('loses no goal when 50 clients add goals to one session concurrently', async () => {
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        acme.request<GoalBody>('POST', '/v1/sessions/crowd/goals', { type: `t${i}` }),
      ),
    );
    expect(answers.every(({ status }) => status === 201)).toBe(true);
    const { body } = await acme.request<SessionBody>('GET', '/v1/sessions/crowd');
    expect(body.version).toBe(50);
    expect(new Set(body.activeGoals.map(({ type }) => type)).size).toBe(50);
  });

  it.each<[string, string, unknown, number]>([
    ['GET', '/v1/sessions/private', undefined, 404],
    ['DELETE', '/v1/sessions/private', undefined, 404],
    ['PATCH', '/v1/sessions/private/goals/secret', { status: 'completed' }, 404],
    ['PATCH', '/v1/sessions/private', { context: { theirs: 1 } }, 200],
    ['POST', '/v1/sessions/private/goals', { type: 'theirs' }, 201],
  ])('gives another tenant no access with %s %s', async (method, path, body, status) => {
    const mine = { activeGoals: [{ id: 'secret', type: 'mine' }], context: { mine: 1 } };
    await acme.request('DELETE', '/v1/sessions/private');
    await globex.request('DELETE', '/v1/sessions/private');
    const before = (await patch('private', mine)).body;
    const answer = await globex.request(method, path, body);
    expect(answer.status).toBe(status);
    expect(JSON.stringify(answer.body ?? null)).not.toContain('mine');
    expect((await acme.request<SessionBody>('GET', '/v1/sessions/private')).body).toEqual(before);
  });

  it('returns the memory statistics with the admin key only', async () => {
    await patch('counted', {});
    const { status, body } = await test.request<Record<string, Record<string, unknown>>>(
      'GET',
      '/v1/sessions/stats',
    );
    expect(status).toBe(200);
    expect(sessionStatsSchema.parse(body)).toEqual(body);
    expect(body['l2']).toMatchObject({ state: 'off', hits: 0, misses: 0, skipped: 0, pendingDeletions: 0 });
    expect(body['l1']?.['size']).toBeGreaterThan(0);
    expect(body['database']?.['inserts']).toBeGreaterThan(0);
    const asTenant = await acme.request<Problem>('GET', '/v1/sessions/stats');
    expect([asTenant.status, asTenant.body.code]).toEqual([403, 'admin_key_required']);
  });

  it.each<[string, string, unknown]>([
    ['GET', '/v1/sessions/ann', undefined],
    ['PATCH', '/v1/sessions/ann', {}],
    ['DELETE', '/v1/sessions/ann', undefined],
    ['POST', '/v1/sessions/ann/goals', { type: 'a' }],
    ['PATCH', '/v1/sessions/ann/goals/g', {}],
  ])('requires a tenant key for %s %s', async (method, path, body) => {
    const asAdmin = await test.request<Problem>(method, path, body);
    expect([asAdmin.status, asAdmin.body.code]).toEqual([403, 'tenant_key_required']);
    expect((await test.request(method, path, body, undefined, null)).status).toBe(401);
  });

  it('describes its routes in the OpenAPI document', async () => {
    const { body } = await test.request<{
      paths: Record<string, Record<string, { requestBody?: unknown; responses: Record<string, unknown> }>>;
    }>('GET', '/docs/openapi.json', undefined, undefined, null);
    const route = body.paths['/v1/sessions/{participantId}']?.['patch'];
    expect(route?.requestBody).toMatchObject({
      content: { 'application/merge-patch+json': expect.anything() as unknown },
    });
    expect(JSON.stringify(route?.responses['200'])).toContain('activeGoals');
    expect(body.paths).toHaveProperty(['/v1/tenants/{id}/keys/{keyId}', 'delete']);
  });
});
