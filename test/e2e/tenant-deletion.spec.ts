import { getConnectionToken } from '@nestjs/mongoose';
import { Redis } from 'ioredis';
import type { Connection } from 'mongoose';
import { NotesModule } from '../../examples/notes/notes.module.js';
import type { ClosedConversationView } from '../../src/conversation/closing/closing.dto.js';
import { ResponderModule } from '../../src/responder/index.js';
import { SETTLE_MS, TenantDeletion } from '../../src/tenant/tenant-deletion.js';
import { createTestApp, type TestApp, type TestTenant } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { describeWithRedis, type RedisProcess, redisPrefix, startRedis } from '../support/redis.js';
import { ScriptedResponder } from '../support/scripted-app.js';
import { collectionsWith, redisKeysWith } from '../support/stored-text.js';

let settings: Readonly<Record<string, string>> = {};
let app: TestApp;
let others: TestApp[] = [];

const create = async (overrides: Readonly<Record<string, string>> = {}): Promise<TestApp> => {
  const created = await createTestApp(
    { TRANSCRIPT_BATCH_TIMEOUT_MS: '20', ...settings, ...overrides },
    { imports: [NotesModule, ResponderModule.forFeature([ScriptedResponder])], workers: true },
  );
  others.push(created);
  return created;
};

const say = (tenant: TestTenant, content: string) =>
  tenant.request<{ conversation: { id: string } }>('POST', '/v1/messages', {
    participantId: 'ana',
    channel: 'web',
    content,
  });
const found = async (tenant: TestTenant, by = app): Promise<unknown[]> => {
  const path = '/v1/transcripts/search';
  const query = { query: 'a table by the window' };
  return (await by.request<{ data: unknown[] }>('POST', path, query, {}, tenant.apiKey)).body.data;
};
const transcript = (tenant: TestTenant, text: string) =>
  tenant.request<{ id: string }>('POST', '/v1/transcripts', {
    participantId: 'ana',
    channel: 'web',
    transcript: text,
  });
const searchable = (tenant: TestTenant, count: number, by = app): Promise<void> =>
  eventually(async () => (await found(tenant, by)).length === count);

/** Stores something of each kind: documents of every collection, sessions, jobs, cache entries, vectors. */
async function fill(tenant: TestTenant): Promise<void> {
  const { conversation } = (await say(tenant, 'A table by the window')).body;
  await tenant.request('POST', '/v1/sessions/ana/goals', { type: 'book_table', slots: { guests: 4 } });
  const closed = await tenant.request<ClosedConversationView>(
    'POST',
    `/v1/conversations/${conversation.id}/close`,
  );
  const job = `/v1/jobs/${String(closed.body.job?.queue)}/${String(closed.body.job?.id)}`;
  await eventually(async () => (await tenant.request('GET', job)).body['state'] === 'completed');
  await transcript(tenant, 'A table by the window, please');
  const { body } = await transcript(tenant, 'To be deleted');
  await searchable(tenant, 3);
  await tenant.request('DELETE', `/v1/transcripts/${body.id}`);
  const remindAt = new Date(Date.now() + 86_400_000).toISOString();
  await tenant.request('POST', '/v1/notes', { participantId: 'ana', text: 'Likes windows', remindAt });
  await tenant.request('GET', '/v1/notes/count?participantId=ana');
  await tenant.request('GET', `/v1/conversations/${conversation.id}`);
  await tenant.request('PUT', '/v1/responder', { type: 'scripted', config: {} });
  const erased = { participantId: 'bob', channel: 'web', content: 'Forget me', externalId: 'e-1' };
  await tenant.request('POST', '/v1/messages', erased);
  await tenant.request('DELETE', '/v1/participants/bob');
  await archiveAndRestore(tenant);
}

/** Leaves an archive, its file, and a report of the run. */
async function archiveAndRestore({ tenantId }: TestTenant): Promise<void> {
  const finish = async (path: string, body: object): Promise<void> => {
    const { jobId, queue } = (await app.request<{ jobId: string; queue: string }>('POST', path, body)).body;
    const of = `/v1/queues/${queue}/jobs/${jobId}`;
    await eventually(async () => (await app.request('GET', of)).body['state'] === 'completed');
  };
  await finish('/v1/archives/run', { tenantId, kind: 'jobs', olderThanDays: 0 });
  const { body } = await app.request<{ data: { id: string }[] }>('GET', `/v1/archives?tenantId=${tenantId}`);
  for (const { id } of body.data) await finish(`/v1/archives/${id}/restore`, {});
}

/** Number of documents of the tenant, by collection. */
async function documentsOf({ tenantId }: TestTenant): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const name of await app.database.collectionNames()) {
    const count = await app.database.collection(name).countDocuments({ tenantId });
    if (count > 0) counts[name] = count;
  }
  return counts;
}

/** The collections of all modules whose documents belong to a tenant. */
const collectionsOfTenants = (): string[] => {
  const connection = app.app.get<Connection>(getConnectionToken());
  const models = connection.modelNames().map((name) => connection.model(name));
  return models
    .filter(({ schema }) => schema.path('tenantId'))
    .map(({ collection }) => collection.collectionName)
    .toSorted();
};

const remove = ({ tenantId }: TestTenant) => app.request('DELETE', `/v1/tenants/${tenantId}`);
/** Sweeps as if the time after which a deletion may end had passed. */
const finished = ({ tenantId }: TestTenant, by = app): Promise<void> =>
  eventually(async () => {
    await by.app.get(TenantDeletion).sweep(new Date(Date.now() + SETTLE_MS));
    return (await by.request('GET', `/v1/tenants/${tenantId}`)).status === 404;
  });

afterEach(async () => {
  jest.restoreAllMocks();
  for (const other of others.toReversed()) await other.close();
  others = [];
});

function promisesOfDeletion(): void {
  it('leaves nothing of the tenant in any collection, and all of the others', async () => {
    app = await create();
    const [tenant, neighbor] = [await app.createTenant(), await app.createTenant()];
    await fill(tenant);
    await fill(neighbor);
    const before = await documentsOf(tenant);
    // Otherwise this test would not notice that documents of a collection are left.
    expect(Object.keys(before).toSorted()).toEqual(collectionsOfTenants());
    const kept = await documentsOf(neighbor);

    expect(await remove(tenant)).toMatchObject({ status: 202, body: { id: tenant.tenantId } });
    expect((await say(tenant, 'Hello?')).body).toMatchObject({ code: 'api_key_invalid' });
    await finished(tenant);
    expect(await documentsOf(tenant)).toEqual({});
    expect(await collectionsWith(app.database, tenant.tenantId)).toEqual([]);
    expect(await documentsOf(neighbor)).toEqual(kept);
    expect(await found(neighbor)).toHaveLength(2);
  });

  it('frees the id only when the deletion has ended, and a new tenant with it begins empty', async () => {
    app = await create();
    const other = await create({ MONGODB_URI: app.database.uri });
    const tenant = await app.createTenant();
    await fill(tenant);
    await searchable(tenant, 2, other);
    const path = `/v1/tenants/${tenant.tenantId}`;
    const taken = { status: 409, body: { code: 'tenant_being_deleted' } };
    await remove(tenant);
    expect(await app.request('POST', '/v1/tenants', { id: tenant.tenantId, name: 'Again' })).toMatchObject(
      taken,
    );
    expect(await app.request('POST', `${path}/keys`)).toMatchObject(taken);
    expect(await app.request('PATCH', path, { isActive: true })).toMatchObject(taken);
    expect(await remove(tenant)).toMatchObject({ status: 202 });
    expect((await app.request('GET', path)).body).toMatchObject({
      isActive: false,
      deletion: { startedAt: expect.stringMatching(/Z$/) as string },
    });
    await finished(tenant);
    expect(await remove(tenant)).toMatchObject({ status: 404, body: { code: 'tenant_not_found' } });

    const again = await app.createTenant(tenant.tenantId);
    expect((await again.request('GET', '/v1/sessions/ana')).status).toBe(404);
    expect((await again.request('GET', '/v1/responder')).body).toMatchObject({ isDefault: true });
    expect((await again.request('GET', '/v1/notes/count?participantId=ana')).body).toEqual({ count: 0 });
    // As many changes as before: a process must not take them for those that it has already read.
    for (const n of [1, 2, 3, 4, 5]) await transcript(again, `A table by the window ${n}`);
    await searchable(again, 5);
    await searchable(again, 5, other);
  });
}

describe('deleting a tenant with queues on the database', () => {
  promisesOfDeletion();

  it('continues in another process after an interruption', async () => {
    app = await create();
    const tenant = await app.createTenant();
    await fill(tenant);
    const deletion = app.app.get(TenantDeletion);
    deletion.contribute({ name: 'broken', erase: () => Promise.reject(new Error('the process was killed')) });
    await remove(tenant);
    await expect(deletion.sweep(new Date(Date.now() + SETTLE_MS))).rejects.toThrow('killed');
    expect(await documentsOf(tenant)).toHaveProperty('messages');
    const other = await create({ MONGODB_URI: app.database.uri });
    await finished(tenant, other);
    expect(await documentsOf(tenant)).toEqual({});
  });

  it('does not end before requests that were accepted before it have ended', async () => {
    app = await create();
    const tenant = await app.createTenant();
    await remove(tenant);
    const deletion = app.app.get(TenantDeletion);
    const path = `/v1/tenants/${tenant.tenantId}`;
    await deletion.sweep(new Date(Date.now() + SETTLE_MS / 2));
    expect((await app.request('GET', path)).status).toBe(200);
    await finished(tenant);
  });

  it.each(['began', 'ended'])(
    'stores nothing for a message whose responder works when it has %s',
    async (when) => {
      app = await create();
      const tenant = await app.createTenant();
      await tenant.request('PUT', '/v1/responder', { type: 'scripted', config: {} });
      let reply!: () => void;
      const called = new Promise<void>((resolve) => {
        app.app.get(ScriptedResponder).script = () =>
          new Promise((settle) => {
            reply = () => {
              settle({ reply: { content: 'Too late' } });
            };
            resolve();
          });
      });
      const sent = say(tenant, 'Are you there?');
      await called;
      await remove(tenant);
      await app.app.get(TenantDeletion).sweep(new Date());
      await eventually(async () => !('messages' in (await documentsOf(tenant))));
      if (when === 'ended') await finished(tenant);
      reply();
      expect((await sent).body).toMatchObject({ status: 403, code: 'tenant_inactive' });
      expect(Object.keys(await documentsOf(tenant))).toEqual(when === 'ended' ? [] : ['tenants']);
      await finished(tenant);
    },
  );
});

describeWithRedis('deleting a tenant with Redis', () => {
  let server: RedisProcess;

  beforeAll(async () => {
    server = await startRedis();
  });
  beforeEach(() => {
    settings = { REDIS_URL: server.url, REDIS_KEY_PREFIX: redisPrefix() };
  });
  afterAll(async () => {
    settings = {};
    await server.remove();
  });

  promisesOfDeletion();

  it('leaves nothing in Redis: no session, cache entry or job', async () => {
    app = await create();
    const redis = new Redis(server.url);
    try {
      const tenant = await app.createTenant();
      await fill(tenant);
      const keyPrefix = settings['REDIS_KEY_PREFIX'] ?? '';
      expect((await redisKeysWith(redis, keyPrefix, tenant.tenantId)).join()).toMatch(
        /session.*bull|bull.*session/,
      );
      await remove(tenant);
      await finished(tenant);
      expect(await redisKeysWith(redis, keyPrefix, tenant.tenantId)).toEqual([]);
    } finally {
      redis.disconnect();
    }
  });
});
