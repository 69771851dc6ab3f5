import { createTestApp, type TestApp, type TestTenant } from '../support/app.js';
import { describeWithRedis, redisPrefix, type RedisProcess, startRedis } from '../support/redis.js';

interface Listed {
  data: { participantId: string }[];
}

/** As identity providers, shops and messengers assign them. */
const ids = [
  'auth0|5f7c8ec7c33c6c004bbafe82',
  'google-oauth2|1000200030004',
  'gid://shopify/Customer/6210',
  'users/1234567890',
  '19:abc@thread.tacv2;messageid=1481567603816',
  '+49 151 000',
  'प्रिया',
  'José'.normalize('NFD'),
  'José'.normalize('NFC'),
  'می\u200cخواهم',
  'a%2Fb',
  '{acme}:b*[c]?',
  '$gt',
  '"quoted" \\ & <b>',
];

describeWithRedis('ids of participants', () => {
  let redis: RedisProcess;
  let test: TestApp;
  let other: TestApp;
  let tenant: TestTenant;

  beforeAll(async () => {
    redis = await startRedis();
    const shared = { REDIS_URL: redis.url, REDIS_KEY_PREFIX: redisPrefix() };
    test = await createTestApp(shared);
    other = await createTestApp({ ...shared, MONGODB_URI: test.database.uri });
    tenant = await test.createTenant();
  });
  afterAll(async () => {
    await other.close();
    await test.close();
    await redis.remove();
  });

  it('are kept exactly and are found again by path, query and body', async () => {
    const found: unknown[] = [];
    for (const participantId of ids) {
      const inbound = await tenant.request<{ session: object; conversation: object }>(
        'POST',
        '/v1/messages',
        {
          participantId,
          channel: 'web',
          content: 'hello',
        },
      );
      const path = `/v1/sessions/${encodeURIComponent(participantId)}`;
      const goal = await tenant.request<{ id: string }>('POST', `${path}/goals`, { type: 'book' });
      const changed = await tenant.request('PATCH', `${path}/goals/${goal.body.id}`, { status: 'completed' });
      const session = await tenant.request<{ participantId: string }>('GET', path);
      const query = `?participantId=${encodeURIComponent(participantId)}`;
      const conversations = await tenant.request<Listed>('GET', `/v1/conversations${query}`);
      const transcripts = await tenant.request<Listed>('GET', `/v1/transcripts${query}`);
      found.push({
        statuses: [inbound.status, goal.status, changed.status, session.status, transcripts.status],
        session: session.body.participantId,
        conversations: conversations.body.data.map((one) => one.participantId),
      });
    }
    expect(found).toEqual(
      ids.map((id) => ({ statuses: [201, 201, 200, 200, 200], session: id, conversations: [id] })),
    );
  });

  it('separate sessions in every tier, also in another process that shares Redis', async () => {
    const inOther: TestTenant['request'] = (method, path, body, headers) =>
      other.request(method, path, body, headers, tenant.apiKey);
    for (const id of ids)
      await tenant.request('PATCH', `/v1/sessions/${encodeURIComponent(id)}`, { context: { id } });
    for (const id of ids) {
      const changed = await inOther<{ context: unknown }>('PATCH', `/v1/sessions/${encodeURIComponent(id)}`, {
        context: { seen: true },
      });
      expect(changed.body.context).toMatchObject({ id, seen: true });
    }
  });

  it('are exported and erased exactly', async () => {
    const erased: unknown[] = [];
    for (const id of ids) {
      const path = `/v1/participants/${encodeURIComponent(id)}`;
      const exported = String((await tenant.request<unknown>('GET', `${path}/export`)).body);
      const receipt = await tenant.request('DELETE', path);
      const lines = exported.split('\n').filter((line) => line.startsWith('{"kind":"conversation"'));
      erased.push({
        id: receipt.body['participantId'],
        removed: receipt.body['removed'],
        lines: lines.length,
      });
    }
    const removed = { conversations: 1, messages: 2, sessions: 1, transcripts: 0, jobs: 0, archivedRoots: 0 };
    expect(erased).toEqual(ids.map((id) => ({ id, removed, lines: 1 })));
  });

  it.each([
    ['.', 'must not be "." or "..", which cannot be addressed in the path of a URL'],
    ['..', 'must not be "." or "..", which cannot be addressed in the path of a URL'],
    ['stats', '"stats" is reserved'],
  ])('are refused at creation if no path can contain them: %s', async (participantId, message) => {
    const routes = ['/v1/messages', '/v1/conversations', '/v1/transcripts'];
    for (const path of routes) {
      const { status, body } = await tenant.request<{ errors: { path: string; message: string }[] }>(
        'POST',
        path,
        { participantId, channel: 'web', content: 'hi', transcript: 'hi' },
      );
      expect([status, body.errors.find((error) => error.path === 'participantId')?.message]).toEqual([
        400,
        message,
      ]);
    }
  });
});
