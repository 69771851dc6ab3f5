import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { mongo } from 'mongoose';
import { ConversationTranscriber } from '../../src/conversation/closing/conversation-transcriber.js';
import type { ClosedConversationView } from '../../src/conversation/closing/closing.dto.js';
import { conversationTranscripts } from '../../src/conversation/closing/conversation-transcript.queue.js';
import type { JobRecord } from '../../src/queue/job.schema.js';
import { RedisService } from '../../src/redis/index.js';
import { TranscriptService } from '../../src/transcript/index.js';
import { tooManyTranscripts } from '../../src/transcript/transcript.errors.js';
import { createTestApp, type TestApp, type TestResponse, type TestTenant } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { describeWithRedis, type RedisProcess, redisPrefix, startRedis } from '../support/redis.js';

interface Transcript {
  id: string;
  status: string;
  transcript: string;
  summary: string | null;
  metadata: Record<string, unknown>;
}

interface JobState {
  state: string;
  progress: number;
  attempts: number;
  result: unknown;
}

let settings: Readonly<Record<string, string>> = {};
let app: TestApp;
let tenant: TestTenant;
let others: TestApp[];
/** The application shared by most tests of a describe block. Its queue workers may be running. */
let shared: TestApp | undefined;
/** The settings that `startAlone` gave to `app`. */
let alone: Readonly<Record<string, string>> = {};

const create = (overrides: Readonly<Record<string, string>> = {}): Promise<TestApp> =>
  createTestApp({ TRANSCRIPT_BATCH_TIMEOUT_MS: '20', ...settings, ...overrides });
/** Creates a new tenant on the shared application. */
const start = async (): Promise<void> => {
  app = shared ??= await create();
  alone = {};
  tenant = await app.createTenant();
};
/**
 * Creates an application with its own Redis key prefix, so that no worker of another test takes its jobs. It
 * runs no jobs until the test starts its workers.
 */
const startAlone = async (overrides: Readonly<Record<string, string>> = {}): Promise<void> => {
  alone = { REDIS_KEY_PREFIX: redisPrefix(), ...overrides };
  app = await create(alone);
  others.push(app);
  tenant = await app.createTenant();
};
const closeShared = async (): Promise<void> => {
  await shared?.close();
  shared = undefined;
};
/** Creates an application that acts as another process on the same database. */
const startOther = async (overrides: Readonly<Record<string, string>> = {}): Promise<TestApp> => {
  const other = await createTestApp({
    TRANSCRIPT_BATCH_TIMEOUT_MS: '20',
    ...settings,
    ...alone,
    ...overrides,
    MONGODB_URI: app.database.uri,
  });
  others.push(other);
  return other;
};
const work = (of = app): Promise<void> => of.startWorkers();

const say = async (id: string, ...contents: string[]): Promise<TestResponse> =>
  tenant.request('POST', `/v1/conversations/${id}/messages`, {
    messages: contents.map((content, index) => ({ role: index % 2 ? 'assistant' : 'user', content })),
  });
const talk = async (...contents: string[]): Promise<string> => {
  const { body } = await tenant.request<{ id: string }>('POST', '/v1/conversations', {
    participantId: 'ana',
    channel: 'web',
    title: 'Dinner',
  });
  if (contents.length > 0) expect((await say(body.id, ...contents)).status).toBe(201);
  return body.id;
};
const close = async (id: string, body?: unknown): Promise<ClosedConversationView> => {
  const path = `/v1/conversations/${id}/close`;
  const answer = await tenant.request<ClosedConversationView>('POST', path, body);
  expect(answer.status).toBe(202);
  return answer.body;
};
const jobOf = async ({ job }: ClosedConversationView): Promise<JobState> => {
  const { status, body } = await tenant.request<JobState>(
    'GET',
    `/v1/jobs/${String(job?.queue)}/${String(job?.id)}`,
  );
  expect(status).toBe(200);
  return body;
};
const ended = (closed: ClosedConversationView, ...states: string[]): Promise<void> =>
  eventually(async () => (states.length ? states : ['completed']).includes((await jobOf(closed)).state));
const transcriptOf = async ({ transcriptId }: ClosedConversationView): Promise<Transcript> => {
  const path = `/v1/transcripts/${String(transcriptId)}`;
  let found = await tenant.request<Transcript>('GET', path);
  await eventually(async () => {
    found = await tenant.request<Transcript>('GET', path);
    return found.status === 200 && found.body.status === 'stored';
  });
  return found.body;
};
const jobs = (): mongo.Collection<JobRecord> => app.database.collection<JobRecord>('jobs');
const storedJob = (): Promise<JobRecord | null> => jobs().findOne({ tenantId: tenant.tenantId });
const count = (name: string): Promise<number> =>
  app.database.collection(name).countDocuments({ tenantId: tenant.tenantId });

const request = 'A table for four at the bistro, please';
const reply = 'It is booked. See you at seven.';
const dinner = ['Hi', 'Hello!', request, reply];

beforeEach(() => {
  others = [];
});
afterEach(async () => {
  jest.restoreAllMocks();
  // Applications started later may use the database of the first one.
  for (const other of others.toReversed()) await other.close();
});

function promisesOfClosing(): void {
  it('creates a transcript with a summary, which a semantic search finds', async () => {
    await start();
    await work();
    await tenant.request('POST', '/v1/sessions/ana/goals', { type: 'book_table', slots: { guests: 4 } });
    const id = await talk(...dinner);
    const closed = await close(id, { metadata: { closedBy: 'bot', title: 'not mine' } });
    expect(closed.conversation).toMatchObject({
      id,
      isActive: false,
      closedAt: expect.stringMatching(/Z$/) as string,
      transcriptId: closed.transcriptId,
    });
    expect((await tenant.request('GET', `/v1/conversations/${id}`)).body).toEqual(closed.conversation);
    await ended(closed);
    expect(await jobOf(closed)).toMatchObject({
      progress: 100,
      attempts: 1,
      result: { transcriptId: closed.transcriptId, messages: 4, omitted: 0, summary: 'extractive' },
    });
    expect(await transcriptOf(closed)).toMatchObject({
      transcript: `> Hi\n< Hello!\n> ${request}\n< ${reply}`,
      summary: `Request: ${request}\nGoals: book_table active (guests 4).\nLast reply: ${reply}`,
      metadata: { closedBy: 'bot', conversationId: id, title: 'Dinner', messageCount: 4, omittedMessages: 0 },
    });
    const { body } = await tenant.request<{ data: { id: string }[] }>('POST', '/v1/transcripts/search', {
      query: 'bistro table for four',
    });
    expect(body.data.map((hit) => hit.id)).toEqual([closed.transcriptId]);
  });

  it('returns the same job and transcript when repeated, even after the job was removed', async () => {
    await start();
    const id = await talk(...dinner);
    const closed = await close(id, { summary: 'The first one.' });
    expect(await close(id, { summary: 'Another one.' })).toEqual(closed);
    await work();
    await ended(closed);
    expect((await transcriptOf(closed)).summary).toBe('The first one.');
    expect(await close(id)).toEqual(closed);
    await jobs().deleteMany({ tenantId: tenant.tenantId });
    expect(await close(id)).toEqual(closed);
    expect(await count('jobs')).toBe(0);
    expect(await count('transcripts')).toBe(1);
  });

  it('creates another transcript after the first was deleted, or none if they are switched off', async () => {
    await start();
    const id = await talk(...dinner);
    const closed = await close(id);
    await work();
    await transcriptOf(closed);
    const path = `/v1/transcripts/${String(closed.transcriptId)}`;
    expect((await tenant.request('DELETE', path)).status).toBe(204);
    const again = await close(id);
    expect(again.transcriptId).not.toBe(closed.transcriptId);
    await transcriptOf(again);
    expect(await close(id)).toEqual(again);
    await tenant.request('DELETE', `/v1/transcripts/${String(again.transcriptId)}`);
    await app.request('PATCH', `/v1/tenants/${tenant.tenantId}`, { features: { transcripts: false } });
    expect(await close(id)).toMatchObject({ job: null, transcriptId: null });
  });

  it('stores one job and one transcript when 20 clients of two processes close concurrently', async () => {
    await start();
    const other = await startOther();
    const id = await talk(...dinner);
    const path = `/v1/conversations/${id}/close`;
    const answers = await Promise.all(
      Array.from({ length: 20 }, async (_, n) => {
        const url = n % 2 ? app.url : other.url;
        const response = await fetch(`${url}${path}`, {
          method: 'POST',
          headers: { authorization: `Bearer ${tenant.apiKey}` },
        });
        expect(response.status).toBe(202);
        return (await response.json()) as ClosedConversationView;
      }),
    );
    const [first] = answers;
    if (!first) throw new Error('no response');
    for (const answer of answers) expect(answer).toEqual(first);
    expect(await count('jobs')).toBe(1);
    await Promise.all([work(), work(other)]);
    await ended(first);
    await transcriptOf(first);
    expect(await count('transcripts')).toBe(1);
  });

  it('leaves the conversation open when its job cannot be stored', async () => {
    await start();
    const id = await talk(...dinner);
    const { body } = await tenant.request('GET', `/v1/conversations/${id}`);
    const dedupeKey = `${id}:${(body as { lastSeq: number }).lastSeq}`;
    // Another row already uses the dedupeKey of this job.
    const other = { tenantId: tenant.tenantId, queue: conversationTranscripts.name, dedupeKey };
    await app.database.collection('jobs').insertOne(other);
    expect((await tenant.request('POST', `/v1/conversations/${id}/close`)).status).toBe(500);
    expect((await tenant.request('GET', `/v1/conversations/${id}`)).body).toMatchObject({
      isActive: true,
      closedAt: null,
      transcriptId: null,
    });
    await app.database.collection('jobs').deleteOne(other);
    await close(id);
    expect(await count('jobs')).toBe(1);
  });

  it('retries while too many transcripts are queued, and records the reason', async () => {
    await startAlone();
    jest.spyOn(app.app.get(TranscriptService), 'enqueue').mockRejectedValueOnce(tooManyTranscripts(1000));
    const closed = await close(await talk(...dinner));
    await work();
    await ended(closed);
    expect(await jobOf(closed)).toMatchObject({ attempts: 2 });
    const row = await storedJob();
    expect(row?.failures.map(({ message }) => message)).toEqual([
      expect.stringContaining('limit of 1000 queued transcripts') as string,
    ]);
    await transcriptOf(closed);
  });

  it('stores one transcript when the worker dies after finishing the work and the job runs again', async () => {
    await startAlone();
    const service = app.app.get(TranscriptService);
    const enqueue = service.enqueue.bind(service);
    jest.spyOn(service, 'enqueue').mockImplementationOnce(async (...args) => {
      await enqueue(...args);
      throw new Error('killed');
    });
    const closed = await close(await talk(...dinner));
    await work();
    await ended(closed);
    expect(await jobOf(closed)).toMatchObject({ attempts: 2 });
    await transcriptOf(closed);
    expect(await count('transcripts')).toBe(1);
  });
}

describe('closing a conversation with queues on the database', () => {
  afterAll(closeShared);

  promisesOfClosing();

  it('stores one transcript when two processes run the same job, and none when it runs after a deletion', async () => {
    await startAlone();
    const other = await startOther();
    const closed = await close(await talk(...dinner));
    const row = await storedJob();
    const job = {
      id: String(closed.job?.id),
      tenantId: tenant.tenantId,
      payload: row?.payload as Parameters<ConversationTranscriber['transcribe']>[0]['payload'],
      signal: new AbortController().signal,
      progress: () => Promise.resolve(),
    };
    const both = [app, other].map(({ app: process }) => process.get(ConversationTranscriber));
    await Promise.all(both.map((transcriber) => transcriber.transcribe(job)));
    expect(await count('transcripts')).toBe(1);
    await transcriptOf(closed);
    for (const transcriber of both) await transcriber.transcribe(job);
    expect(await count('transcripts')).toBe(1);
    expect((await tenant.request('DELETE', `/v1/transcripts/${String(closed.transcriptId)}`)).status).toBe(
      204,
    );
    for (const transcriber of both) await transcriber.transcribe(job);
    expect(await count('transcripts')).toBe(0);
  });

  it('creates another transcript after further messages, once it was reopened', async () => {
    await start();
    await work();
    const id = await talk(...dinner);
    const path = `/v1/conversations/${id}`;
    const first = await close(id);
    expect((await say(id, 'One more thing')).body).toMatchObject({ code: 'conversation_closed' });
    // An inbound message starts another conversation.
    const inbound = { participantId: 'ana', channel: 'web', content: 'Hello again' };
    const { body } = await tenant.request<{ conversation: { id: string } }>('POST', '/v1/messages', inbound);
    expect(body.conversation.id).not.toBe(id);
    const open = await tenant.request('PATCH', path, { isActive: true });
    expect(open.body).toMatchObject({ closedAt: null, transcriptId: first.transcriptId });
    // Without new messages there is no new transcript.
    const again = await close(id);
    expect(again.job).toEqual(first.job);
    expect(again.conversation.isActive).toBe(false);
    await tenant.request('PATCH', path, { isActive: true });
    await say(id, 'One more thing');
    const second = await close(id);
    expect(second.transcriptId).not.toBe(first.transcriptId);
    await Promise.all([ended(first), ended(second)]);
    expect((await transcriptOf(first)).transcript).not.toContain('One more thing');
    expect((await transcriptOf(second)).transcript).toMatch(/seven\.\n> One more thing$/);
    // The session has continued in another conversation, so its goals do not belong to this one.
    expect((await transcriptOf(second)).summary).not.toContain('Goals');
  });

  it('closes without a transcript if there are no messages, or transcripts are switched off', async () => {
    await start();
    const empty = await close(await talk());
    expect(empty).toMatchObject({ job: null, transcriptId: null, conversation: { isActive: false } });
    await app.request('PATCH', `/v1/tenants/${tenant.tenantId}`, { features: { transcripts: false } });
    const id = await talk(...dinner);
    const off = await close(id);
    expect(off).toMatchObject({ job: null, transcriptId: null, conversation: { isActive: false } });
    expect(await close(id)).toEqual(off);
    expect(await count('jobs')).toBe(0);
    await app.request('PATCH', `/v1/tenants/${tenant.tenantId}`, { features: { transcripts: true } });
    expect((await close(id)).transcriptId).not.toBeNull();
    expect(await count('jobs')).toBe(1);
  });

  it('enqueues a new job for the same transcript after a job has failed', async () => {
    await startAlone();
    const closed = await close(await talk(...dinner));
    await app.request('PATCH', `/v1/tenants/${tenant.tenantId}`, { features: { transcripts: false } });
    await work();
    await ended(closed, 'failed');
    expect(await jobOf(closed)).toMatchObject({
      attempts: 1,
      error: { message: expect.stringContaining('disabled') as string },
    });
    await app.request('PATCH', `/v1/tenants/${tenant.tenantId}`, { features: { transcripts: true } });
    const again = await close(closed.conversation.id);
    expect(again.transcriptId).toBe(closed.transcriptId);
    expect(again.job?.id).not.toBe(closed.job?.id);
    await ended(again);
    await transcriptOf(again);
  });

  it('stores nothing for a conversation that was erased before its job ran', async () => {
    await startAlone();
    const closed = await close(await talk(...dinner));
    await tenant.request('DELETE', `/v1/conversations/${closed.conversation.id}`);
    await work();
    await ended(closed);
    expect((await jobOf(closed)).result).toMatchObject({ transcriptId: null });
    expect((await tenant.request('GET', `/v1/transcripts/${String(closed.transcriptId)}`)).status).toBe(404);
  });

  it('keeps the time of the first closing, also for a patch', async () => {
    await start();
    const id = await talk(...dinner);
    const path = `/v1/conversations/${id}`;
    const { body } = await tenant.request('PATCH', path, { isActive: false });
    expect(body['closedAt']).toEqual(expect.stringMatching(/Z$/));
    expect((await tenant.request('PATCH', path, { isActive: false, title: 'x' })).body).toMatchObject({
      closedAt: body['closedAt'],
    });
    expect((await close(id)).conversation.closedAt).toBe(body['closedAt']);
  });

  it('rejects unknown conversations, unknown fields, and summaries beyond the limits', async () => {
    await start();
    const id = await talk(...dinner);
    const path = `/v1/conversations/${id}/close`;
    const unknown = await tenant.request('POST', `/v1/conversations/${'f'.repeat(24)}/close`);
    expect(unknown).toMatchObject({ status: 404, body: { code: 'conversation_not_found' } });
    for (const body of [{ other: 1 }, { summary: '' }, { summary: 'x'.repeat(10_001) }, { metadata: [] }, []])
      expect((await tenant.request('POST', path, body)).status).toBe(400);
    expect((await tenant.request('GET', `/v1/conversations/${id}`)).body).toMatchObject({ isActive: true });
  });

  describe('with summaries from the responder of the tenant', () => {
    let endpoint: Server;
    let received: Record<string, unknown>[];
    let answer: { status: number; body: unknown };

    beforeEach(async () => {
      received = [];
      answer = { status: 200, body: { summary: 'A table was booked.' } };
      endpoint = createServer((request, response) => {
        let text = '';
        request.setEncoding('utf8');
        request.on('data', (chunk: string) => (text += chunk));
        request.on('end', () => {
          const key = request.headers['idempotency-key'];
          received.push({ ...(JSON.parse(text) as Record<string, unknown>), key });
          response.writeHead(answer.status).end(JSON.stringify(answer.body));
        });
      });
      await new Promise<void>((resolve) => endpoint.listen(0, '127.0.0.1', resolve));
      await startAlone({ SUMMARIZER: 'responder' });
      await work();
      await tenant.request('PUT', '/v1/responder', {
        type: 'http',
        config: {
          url: `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}`,
          secret: 'a-secret-of-the-test',
        },
      });
    });
    afterEach(async () => {
      endpoint.closeAllConnections();
      await new Promise((resolve) => endpoint.close(resolve));
    });

    it('stores the summary that the endpoint returns', async () => {
      const closed = await close(await talk(...dinner));
      expect((await transcriptOf(closed)).summary).toBe('A table was booked.');
      expect(received).toMatchObject([
        {
          event: 'summarize',
          tenantId: tenant.tenantId,
          conversation: { id: closed.conversation.id, channel: 'web', participantId: 'ana' },
          transcript: (await transcriptOf(closed)).transcript,
          goals: [],
          key: closed.transcriptId,
        },
      ]);
    });

    it('uses an extract if the endpoint does not support the event', async () => {
      answer = { status: 400, body: {} };
      const closed = await close(await talk(...dinner));
      expect((await transcriptOf(closed)).summary).toMatch(/^Request: A table/);
      await ended(closed);
      expect((await jobOf(closed)).result).toMatchObject({ summary: 'extractive' });
      expect(received).toHaveLength(1);
    });
  });
});

describeWithRedis('closing a conversation with queues on Redis', () => {
  let server: RedisProcess;

  beforeAll(async () => {
    server = await startRedis({ appendfsync: 'everysec' });
    settings = {
      REDIS_URL: server.url,
      REDIS_KEY_PREFIX: redisPrefix(),
      REDIS_COMMAND_TIMEOUT_MS: '2000',
      REDIS_PROBE_INTERVAL_MS: '20',
    };
  });
  afterAll(async () => {
    await closeShared();
    settings = {};
    await server.remove();
  });

  promisesOfClosing();

  // This test kills the server, so it runs last.
  it('runs the job of a conversation closed during a Redis outage once Redis is back', async () => {
    await start();
    await work();
    const id = await talk(...dinner);
    await server.signal('SIGKILL');
    await eventually(() => !app.app.get(RedisService).available);
    const closed = await close(id);
    expect(await storedJob()).toMatchObject({ state: 'waiting', isUnhanded: true });
    await server.restart();
    await ended(closed);
    await transcriptOf(closed);
    expect(await count('transcripts')).toBe(1);
  });
});
