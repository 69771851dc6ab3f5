import { Redis } from 'ioredis';
import { Types } from 'mongoose';
import { ConversationEraser } from '../../src/conversation/conversation-eraser.js';
import { conversationTranscripts } from '../../src/conversation/closing/conversation-transcript.queue.js';
import type { ClosedConversationView } from '../../src/conversation/closing/closing.dto.js';
import type { JobRecord } from '../../src/queue/job.schema.js';
import { ResponderModule } from '../../src/responder/index.js';
import { TranscriptService } from '../../src/transcript/index.js';
import { createTestApp, type TestApp, type TestTenant } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { describeWithRedis, type RedisProcess, redisPrefix, startRedis } from '../support/redis.js';
import { ScriptedResponder } from '../support/scripted-app.js';
import { collectionsWith, redisKeysWith } from '../support/stored-text.js';

/** Contained in everything that belongs to the erased conversation, and in nothing else. */
const SECRET = 'nightingale';

let settings: Readonly<Record<string, string>> = {};
let app: TestApp;
let tenant: TestTenant;

const create = (overrides: Readonly<Record<string, string>> = {}): Promise<TestApp> =>
  createTestApp({ TRANSCRIPT_BATCH_TIMEOUT_MS: '20', ...settings, ...overrides });

async function begin(): Promise<void> {
  app = await create();
  tenant = await app.createTenant();
}

/** A conversation whose messages, goals and metadata contain the secret. */
async function talk(): Promise<string> {
  const inbound = { participantId: 'ana', channel: 'web', content: `Call me about ${SECRET}` };
  const { body } = await tenant.request<{ conversation: { id: string } }>('POST', '/v1/messages', inbound);
  const { id } = body.conversation;
  await tenant.request('POST', '/v1/sessions/ana/goals', { type: 'call', slots: { about: SECRET } });
  await tenant.request('PATCH', `/v1/conversations/${id}`, { metadata: { about: SECRET } });
  return id;
}

async function close(id: string, body?: unknown): Promise<ClosedConversationView> {
  const path = `/v1/conversations/${id}/close`;
  const closed = await tenant.request<ClosedConversationView>('POST', path, body);
  expect(closed.status).toBe(202);
  return closed.body;
}

const jobPath = ({ job }: ClosedConversationView): string =>
  `/v1/jobs/${String(job?.queue)}/${String(job?.id)}`;
const stateOf = async (closed: ClosedConversationView): Promise<string> =>
  (await tenant.request<{ state: string }>('GET', jobPath(closed))).body.state;
const completed = (closed: ClosedConversationView): Promise<void> =>
  eventually(async () => (await stateOf(closed)) === 'completed');
const isStored = async ({ transcriptId }: ClosedConversationView): Promise<boolean> => {
  const { body } = await tenant.request<{ status?: string }>(
    'GET',
    `/v1/transcripts/${String(transcriptId)}`,
  );
  return body.status === 'stored';
};
const hits = async (): Promise<unknown[]> =>
  (
    await tenant.request<{ data: unknown[] }>('POST', '/v1/transcripts/search', {
      query: `about ${SECRET}`,
    })
  ).body.data;
const erase = async (id: string): Promise<number> =>
  (await tenant.request('DELETE', `/v1/conversations/${id}`)).status;
const jobs = () => app.database.collection<JobRecord>('jobs');

function promisesOfErasure(): void {
  it('leaves nothing of a closed conversation: not in jobs, transcripts, sessions or searches', async () => {
    await begin();
    await app.startWorkers();
    const id = await talk();
    const given = { summary: `called about ${SECRET}`, metadata: { phone: SECRET } };
    const closed = await close(id, given);
    await completed(closed);
    await eventually(() => isStored(closed));
    expect(await hits()).toHaveLength(1);
    expect(await erase(id)).toBe(204);
    expect(await collectionsWith(app.database, SECRET)).toEqual([]);
    expect(await hits()).toEqual([]);
    expect((await tenant.request('GET', `/v1/transcripts/${String(closed.transcriptId)}`)).status).toBe(404);
    expect((await tenant.request('GET', '/v1/sessions/ana')).body).toMatchObject({
      activeGoals: [],
      conversationId: null,
    });
    expect((await tenant.request('GET', `/v1/conversations/${id}`)).status).toBe(404);
  });

  it('leaves nothing of one that was closed twice, while neither job has run', async () => {
    await begin();
    const id = await talk();
    const first = await close(id, { summary: `called about ${SECRET}` });
    await tenant.request('PATCH', `/v1/conversations/${id}`, { isActive: true });
    const messages = [{ role: 'user', content: `Once more about ${SECRET}` }];
    await tenant.request('POST', `/v1/conversations/${id}/messages`, { messages });
    const second = await close(id, { metadata: { phone: SECRET } });
    expect(second.transcriptId).not.toBe(first.transcriptId);
    expect(await erase(id)).toBe(204);
    expect(await collectionsWith(app.database, SECRET)).toEqual([]);
    await app.startWorkers();
    await Promise.all([completed(first), completed(second)]);
    expect(await collectionsWith(app.database, SECRET)).toEqual([]);
  });

  it('stores only ids in the jobs', async () => {
    await begin();
    await close(await talk(), { summary: `called about ${SECRET}`, metadata: { phone: SECRET } });
    const row = await jobs().findOne({ tenantId: tenant.tenantId });
    expect(Object.keys(row?.payload as object).toSorted()).toEqual(['conversationId', 'seq', 'transcriptId']);
  });

  it('removes the errors of its jobs, which may quote it', async () => {
    await begin();
    const id = await talk();
    const closed = await close(id);
    jest.spyOn(app.app.get(TranscriptService), 'enqueue').mockRejectedValue(new Error(`refused ${SECRET}`));
    await app.startWorkers();
    await eventually(async () => (await jobs().countDocuments({ 'failures.0': { $exists: true } })) > 0);
    await erase(id);
    await completed(closed);
    expect(await collectionsWith(app.database, SECRET)).toEqual([]);
  });
}

afterEach(async () => {
  jest.restoreAllMocks();
  await app.close();
});

describe('erasing a conversation while a responder works on its message', () => {
  it.each([undefined, 'e-1'])('stores nothing again; externalId: %s', async (externalId) => {
    app = await createTestApp(
      { WORKERS: 'off' },
      { imports: [ResponderModule.forFeature([ScriptedResponder])] },
    );
    const sender = await app.createTenant();
    await sender.request('PUT', '/v1/responder', { type: 'scripted', config: {} });
    const responder = app.app.get(ScriptedResponder);
    let reply!: () => void;
    const called = new Promise<void>((resolve) => {
      responder.script = () =>
        new Promise((settle) => {
          reply = () => settle({ reply: { content: `About ${SECRET}` }, context: { about: SECRET } });
          resolve();
        });
    });
    const inbound = { participantId: 'ana', channel: 'web', content: SECRET };
    const sent = sender.request('POST', '/v1/messages', { ...inbound, ...(externalId && { externalId }) });
    await called;
    const { body } = await sender.request<{ data: { id: string }[] }>('GET', '/v1/conversations');
    const erased = await sender.request('DELETE', `/v1/conversations/${body.data[0]?.id ?? ''}`);
    expect(erased.status).toBe(204);
    reply();
    expect(await sent).toMatchObject({ status: 404, body: { code: 'conversation_not_found' } });
    expect(responder.calls).toBe(1);
    expect(await collectionsWith(app.database, SECRET)).toEqual([]);
  });
});

describe('erasing a conversation with queues on the database', () => {
  promisesOfErasure();

  it('stores no transcript that its job hands over while the conversation is being erased', async () => {
    await begin();
    const id = await talk();
    const closed = await close(id);
    const transcripts = app.app.get(TranscriptService);
    const enqueue = transcripts.enqueue.bind(transcripts);
    jest.spyOn(transcripts, 'enqueue').mockImplementationOnce(async (...args) => {
      await erase(id);
      return enqueue(...args);
    });
    await app.startWorkers();
    await completed(closed);
    expect(await collectionsWith(app.database, SECRET)).toEqual([]);
    expect(await hits()).toEqual([]);
  });

  it('is finished by the sweep after it was interrupted', async () => {
    await begin();
    await app.startWorkers();
    const id = await talk();
    const closed = await close(id);
    await completed(closed);
    await eventually(() => isStored(closed));
    jest
      .spyOn(app.app.get(TranscriptService), 'eraseConversation')
      .mockRejectedValueOnce(new Error('the process was killed'));
    expect(await erase(id)).toBe(500);
    expect(await hits()).toHaveLength(1);
    expect(await app.app.get(ConversationEraser).sweep(new Date(Date.now() + 1000))).toBe(1);
    expect(await collectionsWith(app.database, SECRET)).toEqual([]);
    expect(await hits()).toEqual([]);
  });

  it('keeps the transcripts that the tenant sent, and the session that has moved on', async () => {
    await begin();
    const id = await talk();
    const sent = { participantId: 'ana', channel: 'web', transcript: 'Hi', metadata: { conversationId: id } };
    const { body } = await tenant.request<{ id: string }>('POST', '/v1/transcripts', sent);
    await tenant.request('POST', '/v1/messages', { participantId: 'ana', channel: 'sms', content: 'Hello' });
    const before = await tenant.request('GET', '/v1/sessions/ana');
    expect(await erase(id)).toBe(204);
    expect((await tenant.request('GET', `/v1/transcripts/${body.id}`)).status).toBe(200);
    expect((await tenant.request('GET', '/v1/sessions/ana')).body).toEqual(before.body);
  });

  it('scrubs jobs of earlier versions: finished ones at the next start, others when erased', async () => {
    await begin();
    const old = (conversationId: string, state: JobRecord['state']): JobRecord => ({
      _id: new Types.ObjectId(),
      tenantId: tenant.tenantId,
      queue: conversationTranscripts.name,
      payload: {
        conversationId,
        seq: 1,
        transcriptId: new Types.ObjectId().toHexString(),
        goals: [{ type: 'call', status: 'active', slots: [['about', SECRET]] }],
        summary: `called about ${SECRET}`,
        metadata: { phone: SECRET },
      },
      state,
      priority: 5,
      dueAt: new Date(),
      attempts: 0,
      progress: 0,
      failures: [],
      createdAt: new Date(),
      updatedAt: new Date(),
    });
    const id = await talk();
    const waiting = old(id, 'waiting');
    await jobs().insertMany([waiting, old('f'.repeat(24), 'completed'), old('f'.repeat(24), 'failed')]);
    const { transcriptId } = waiting.payload as { transcriptId: string };
    const closing = { seq: 1, jobId: waiting._id, transcriptId: new Types.ObjectId(transcriptId) };
    await app.database.collection('conversations').updateOne({}, { $set: { closing, isActive: false } });
    const next = await create({ MONGODB_URI: app.database.uri });
    await next.close();
    expect(await jobs().countDocuments({ 'payload.summary': { $exists: true } })).toBe(1);
    await erase(id);
    expect(await collectionsWith(app.database, SECRET)).toEqual([]);
  });
});

describeWithRedis('erasing a conversation with Redis', () => {
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

  promisesOfErasure();

  it('leaves nothing in Redis, and no other process serves it', async () => {
    await begin();
    const other = await create({ MONGODB_URI: app.database.uri });
    const redis = new Redis(server.url);
    const keyPrefix = settings['REDIS_KEY_PREFIX'] ?? '';
    try {
      await app.startWorkers();
      const id = await talk();
      const closed = await close(id, { summary: `called about ${SECRET}`, metadata: { phone: SECRET } });
      await completed(closed);
      await eventually(() => isStored(closed));
      const at = (path: string, body?: unknown) =>
        other.request<{ data?: unknown[] }>(body ? 'POST' : 'GET', path, body, {}, tenant.apiKey);
      const search = { query: `about ${SECRET}` };
      expect((await at(`/v1/conversations/${id}`)).status).toBe(200);
      expect((await at('/v1/transcripts/search', search)).body.data).toHaveLength(1);
      expect(await redisKeysWith(redis, keyPrefix, SECRET)).not.toEqual([]);
      await erase(id);
      expect(await redisKeysWith(redis, keyPrefix, SECRET)).toEqual([]);
      await eventually(async () => (await at(`/v1/conversations/${id}`)).status === 404);
      await eventually(async () => (await at('/v1/transcripts/search', search)).body.data?.length === 0);
      expect((await at('/v1/sessions/ana')).body).toMatchObject({ activeGoals: [] });
    } finally {
      redis.disconnect();
      await other.close();
    }
  });
});
