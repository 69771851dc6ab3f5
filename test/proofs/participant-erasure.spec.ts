import { Redis } from 'ioredis';
import { ParticipantDataRegistry } from '../../src/archive/participant/participant-data.js';
import { ParticipantEraser } from '../../src/archive/participant/participant-eraser.js';
import { ParticipantHashes } from '../../src/archive/participant/participant-hashes.js';
import type { ClosedConversationView } from '../../src/conversation/closing/closing.dto.js';
import { ConversationEraser } from '../../src/conversation/conversation-eraser.js';
import { ResponderModule } from '../../src/responder/index.js';
import { ConversationStateManager } from '../../src/session/index.js';
import { createTestApp, type TestApp, type TestTenant } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { describeWithRedis, type RedisProcess, redisPrefix, startRedis } from '../support/redis.js';
import { ScriptedResponder } from '../support/scripted-app.js';
import { collectionsWith, redisKeysWith } from '../support/stored-text.js';

/** Contained in everything that belongs to the erased participant, and in nothing else. */
const SECRET = 'nightingale';
const PERSON = 'ana.nightfall@example.com';
const OTHER = 'bob.bluebird@example.com';
const path = (participantId = PERSON): string => `/v1/participants/${encodeURIComponent(participantId)}`;

interface ReceiptBody {
  participantId: string;
  erasedAt: string;
  removed: Record<string, number>;
  remaining: Record<string, number>;
  later: { what: string; until: string | null }[];
}

const zeros = { conversations: 0, messages: 0, sessions: 0, transcripts: 0, jobs: 0, archivedRoots: 0 };

let settings: Readonly<Record<string, string>> = {};
let app: TestApp;
let tenant: TestTenant;
let others: TestApp[] = [];

const create = async (overrides: Readonly<Record<string, string>> = {}): Promise<TestApp> => {
  const created = await createTestApp(
    { TRANSCRIPT_BATCH_TIMEOUT_MS: '20', ...settings, ...overrides },
    { imports: [ResponderModule.forFeature([ScriptedResponder])] },
  );
  others.push(created);
  return created;
};

async function begin(): Promise<void> {
  app = await create();
  tenant = await app.createTenant();
}

const must = async <Body>(answer: Promise<{ status: number; body: Body }>): Promise<Body> => {
  const { status, body } = await answer;
  if (status >= 300) throw new Error(`${status} ${JSON.stringify(body)}`);
  return body;
};

interface Exchange {
  conversation: { id: string };
  message: { id: string };
}
const say = (participantId: string, content: string, more: object = {}, by = tenant) =>
  by.request<Exchange>('POST', '/v1/messages', { participantId, channel: 'web', content, ...more });

const erase = (participantId = PERSON, by = tenant): Promise<ReceiptBody> =>
  must(by.request<ReceiptBody>('DELETE', path(participantId)));

const waitForTranscript = (id: string, by = tenant): Promise<void> =>
  eventually(async () => {
    const { body } = await by.request('GET', `/v1/transcripts/${id}`);
    return body['status'] === 'stored' || body['status'] === 'failed';
  });

/** A document about the participant in every collection. Their texts contain the secret, and their ids. */
async function fill(participantId: string, secret: string, by = tenant): Promise<void> {
  const text = `My number is ${secret}, I am ${participantId}`;
  const { conversation } = await must(
    say(participantId, text, { externalId: `wamid.${secret}`, metadata: { from: participantId } }, by),
  );
  const session = `/v1/sessions/${encodeURIComponent(participantId)}`;
  await must(by.request('POST', `${session}/goals`, { type: 'call', slots: { about: secret } }));
  await must(by.request('PATCH', session, { context: { mail: participantId, secret } }));
  const open = `/v1/conversations/${conversation.id}`;
  await must(by.request('PATCH', open, { title: secret, metadata: { secret } }));
  await must(by.request('GET', open));
  const second = await must(say(participantId, text, { channel: 'sms' }, by));
  const closed = await must(
    by.request<ClosedConversationView>('POST', `/v1/conversations/${second.conversation.id}/close`, {
      summary: `called about ${secret}`,
      metadata: { phone: secret },
    }),
  );
  const job = `/v1/jobs/${String(closed.job?.queue)}/${String(closed.job?.id)}`;
  await eventually(async () => (await by.request('GET', job)).body['state'] === 'completed');
  await waitForTranscript(String(closed.transcriptId), by);
  const sent = { participantId, channel: 'web', transcript: text, summary: secret, metadata: { secret } };
  const { id } = await must(
    by.request<{ id: string }>('POST', '/v1/transcripts', { ...sent, externalId: `call.${secret}` }),
  );
  await waitForTranscript(id, by);
  const now = new Date();
  const of = { tenantId: by.tenantId, participantId };
  await app.database.collection('transcripts').insertMany([
    {
      ...of,
      channel: 'web',
      transcript: secret,
      metadata: {},
      status: 'failed',
      error: secret,
      changeSeq: 0,
      createdAt: now,
      storedAt: now,
    },
  ]);
  const done = {
    tenantId: by.tenantId,
    priority: 5,
    dueAt: now,
    attempts: 1,
    createdAt: now,
    updatedAt: now,
  };
  await app.database.collection('jobs').insertMany([
    {
      ...done,
      queue: 'a-queue',
      payload: { participantId, secret },
      state: 'failed',
      progress: 0,
      failures: [{ at: now, attempt: 1, message: secret }],
    },
    {
      ...done,
      queue: 'b-queue',
      payload: {},
      result: { of: participantId },
      state: 'completed',
      failures: [],
    },
  ]);
}

/** What `fill` stores. */
const filled = { conversations: 2, messages: 4, sessions: 1, transcripts: 3, jobs: 2, archivedRoots: 0 };

/** Everything that is stored of a tenant, except when its keys were used last. */
async function storedOf({ tenantId }: TestTenant): Promise<Record<string, unknown[]>> {
  const rows: Record<string, unknown[]> = {};
  for (const name of await app.database.collectionNames())
    rows[name] = await app.database
      .collection(name)
      .find({ tenantId }, { projection: { lastUsedAt: 0 } })
      .sort({ _id: 1 })
      .toArray();
  return rows;
}

const collectionsOf = async (...texts: readonly string[]): Promise<string[]> =>
  (await Promise.all(texts.map((text) => collectionsWith(app.database, text)))).flat();
const hits = async (query: string, by = tenant): Promise<{ participantId: string }[]> =>
  (await by.request<{ data: { participantId: string }[] }>('POST', '/v1/transcripts/search', { query })).body
    .data;
/** Without its first line, which has the time of the export. */
const exportOf = async (participantId: string): Promise<string> => {
  const text = String(await must<unknown>(tenant.request<unknown>('GET', `${path(participantId)}/export`)));
  return text.slice(text.indexOf('\n'));
};

afterEach(async () => {
  jest.restoreAllMocks();
  for (const other of others.toReversed()) await other.close();
  others = [];
});

function promisesOfErasure(): void {
  it('leaves nothing of the participant, with a receipt, and everything of others', async () => {
    await begin();
    await app.startWorkers();
    const neighbor = await app.createTenant();
    await fill(OTHER, 'bluebird');
    await fill(PERSON, 'bluebird', neighbor);
    const before = { other: await exportOf(OTHER), neighbor: await storedOf(neighbor) };
    await fill(PERSON, SECRET);
    expect(await collectionsWith(app.database, SECRET)).toEqual(
      expect.arrayContaining(['conversations', 'messages', 'sessions', 'transcripts', 'jobs']),
    );

    const receipt = await erase();
    expect(receipt).toMatchObject({ participantId: PERSON, removed: filled, remaining: zeros });
    expect(Date.now() - Date.parse(receipt.erasedAt)).toBeLessThan(60_000);
    expect(receipt.later.length).toBeGreaterThan(3);
    expect(receipt.later.find(({ what }) => /Free pages|Free space/.test(what))).toMatchObject({
      until: null,
    });
    for (const { until } of receipt.later)
      if (until !== null) expect(Date.parse(until)).toBeGreaterThan(Date.now());

    expect(await collectionsWith(app.database, SECRET)).toEqual([]);
    const rows = await storedOf(tenant);
    expect(JSON.stringify(rows)).not.toContain(PERSON);
    expect(app.app.get(ConversationStateManager).peek(tenant.tenantId, PERSON)).toBeUndefined();
    expect((await tenant.request('GET', `/v1/sessions/${encodeURIComponent(PERSON)}`)).status).toBe(404);
    expect(
      (await hits(`My number is ${SECRET}`)).filter(({ participantId }) => participantId === PERSON),
    ).toEqual([]);
    expect(JSON.stringify((await tenant.request('GET', '/v1/participants')).body)).not.toContain(PERSON);
    // The hash is all that is kept.
    expect(rows['participant_erasures']).toEqual([
      {
        _id: expect.anything() as unknown,
        tenantId: tenant.tenantId,
        participantHash: await app.app.get(ParticipantHashes).of(tenant.tenantId, PERSON),
        erasedAt: new Date(receipt.erasedAt),
        state: 'done',
        removed: filled,
      },
    ]);

    expect(await exportOf(OTHER)).toBe(before.other);
    expect(await storedOf(neighbor)).toEqual(before.neighbor);
    expect(await hits('My number is bluebird', neighbor)).not.toEqual([]);
  });

  it('may be repeated, and does not tell an unknown participant from an erased one', async () => {
    await begin();
    await must(say(PERSON, SECRET));
    expect((await erase()).removed).toEqual({ ...zeros, conversations: 1, messages: 2, sessions: 1 });
    const again = await erase();
    const unknown = await erase('nobody');
    expect(again).toMatchObject({ removed: zeros, remaining: zeros });
    expect(unknown).toMatchObject({ removed: zeros, remaining: zeros });
    const whats = ({ later }: ReceiptBody): string[] => later.map(({ what }) => what);
    expect(Object.keys(unknown)).toEqual(Object.keys(again));
    expect(whats(unknown)).toEqual(whats(again));
  });

  it('refuses what is sent again with its externalId, and serves the person as a new one', async () => {
    await begin();
    const inbound = { externalId: 'wamid.1' };
    const { conversation } = await must(say(PERSON, SECRET, inbound));
    const input = { role: 'user', content: SECRET, externalId: 'wamid.2' };
    await must(
      tenant.request('POST', `/v1/conversations/${conversation.id}/messages`, { messages: [input] }),
    );
    const transcript = { participantId: PERSON, channel: 'web', transcript: SECRET, externalId: 'call.1' };
    await must(tenant.request('POST', '/v1/transcripts', transcript));
    await erase();

    const gone = { status: 410, body: { code: 'erased' } };
    expect(await say(PERSON, SECRET, inbound)).toMatchObject(gone);
    expect(await say(PERSON, SECRET, { externalId: 'wamid.2' })).toMatchObject(gone);
    expect(await tenant.request('POST', '/v1/transcripts', transcript)).toMatchObject(gone);
    const begun = { participantId: PERSON, channel: 'web' };
    const { id } = await must(tenant.request<{ id: string }>('POST', '/v1/conversations', begun));
    const again = [{ role: 'user', content: 'Hello' }, input];
    expect(
      await tenant.request('POST', `/v1/conversations/${id}/messages`, { messages: again }),
    ).toMatchObject(gone);
    expect(await collectionsWith(app.database, SECRET)).toEqual([]);

    // Another participant may have been given the same id by the provider.
    expect((await say(OTHER, 'Hello', inbound)).status).toBe(201);
    const newContact = await must(say(PERSON, 'Hello again', { externalId: 'wamid.3' }));
    expect(newContact.conversation.id).not.toBe(conversation.id);
    const session = await must(tenant.request('GET', `/v1/sessions/${encodeURIComponent(PERSON)}`));
    expect(session).toMatchObject({ version: 1 });
  });

  it('refuses it in another process, too, as soon as the erasure is done', async () => {
    await begin();
    const other = await create({ MONGODB_URI: app.database.uri });
    const inbound = { participantId: PERSON, channel: 'web', content: SECRET, externalId: 'wamid.1' };
    await must(tenant.request('POST', '/v1/messages', inbound));
    // The other process now knows the tenant as one without erasures.
    await must(other.request('GET', '/v1/participants', undefined, {}, tenant.apiKey));
    await erase();
    const replayed = await other.request('POST', '/v1/messages', inbound, {}, tenant.apiKey);
    expect(replayed).toMatchObject({ status: 410, body: { code: 'erased' } });
  });

  it('leaves nothing of messages that arrive meanwhile, or begins a new contact', async () => {
    await begin();
    await must(say(PERSON, `${SECRET} first`));
    await must(
      tenant.request('PATCH', `/v1/sessions/${encodeURIComponent(PERSON)}`, { context: { secret: SECRET } }),
    );
    let isOver = false;
    const answers: number[] = [];
    const sender = async (number: number): Promise<void> => {
      for (let count = 0; !isOver; count++)
        answers.push((await say(PERSON, `message ${number}-${count}`)).status);
    };
    const sending = Promise.all([1, 2, 3].map(sender));
    await eventually(() => answers.length > 10);
    const receipt = await erase();
    isOver = true;
    await sending;
    expect(receipt.remaining).toEqual(zeros);
    expect(receipt.removed['messages']).toBeGreaterThan(10);
    expect(answers.filter((status) => status >= 500)).toEqual([]);
    expect(await collectionsWith(app.database, SECRET)).toEqual([]);
    // What is there was committed after the erasure, in new conversations.
    const { tenantId } = tenant;
    const erasedAt = new Date(receipt.erasedAt);
    const older = { tenantId, createdAt: { $lt: erasedAt } };
    expect(await app.database.collection('conversations').countDocuments(older)).toBe(0);
    expect(await app.database.collection('sessions').countDocuments(older)).toBe(0);
    const ids = await app.database.collection('conversations').distinct('_id', { tenantId });
    expect(
      await app.database.collection('messages').countDocuments({ tenantId, conversationId: { $nin: ids } }),
    ).toBe(0);
  });
}

describe('erasing a participant with queues on the database', () => {
  promisesOfErasure();

  it.each([undefined, 'e-1'])(
    'stores nothing of a message whose responder works; externalId: %s',
    async (externalId) => {
      await begin();
      await tenant.request('PUT', '/v1/responder', { type: 'scripted', config: {} });
      const responder = app.app.get(ScriptedResponder);
      let reply!: () => void;
      const called = new Promise<void>((resolve) => {
        responder.script = () =>
          new Promise((settle) => {
            reply = () => settle({ reply: { content: SECRET }, context: { about: SECRET } });
            resolve();
          });
      });
      const sent = say(PERSON, SECRET, { ...(externalId && { externalId }) });
      await called;
      expect((await erase()).removed).toMatchObject({ messages: 1, sessions: 1 });
      reply();
      expect(await sent).toMatchObject(
        externalId
          ? { status: 410, body: { code: 'erased' } }
          : { status: 404, body: { code: 'conversation_not_found' } },
      );
      expect((await sent).body).not.toHaveProperty('messageStored');
      expect(responder.calls).toBe(1);
      expect(await collectionsOf(SECRET)).toEqual([]);
      expect(JSON.stringify(await storedOf(tenant))).not.toContain(PERSON);
    },
  );

  it('ends the wait of a burst', async () => {
    await begin();
    await must(tenant.request('PUT', '/v1/responder', { type: 'scripted', config: {}, debounceMs: 30_000 }));
    const sent = say(PERSON, SECRET);
    await eventually(async () => (await app.database.collection('messages').countDocuments()) === 1);
    await erase();
    expect(await sent).toMatchObject({ status: 404 });
    expect(await collectionsOf(SECRET)).toEqual([]);
  });

  it.each(['transcript', 'conversation', 'session', 'queue'])(
    'is finished by the sweep after the step %s failed',
    async (step) => {
      await begin();
      await app.startWorkers();
      await fill(PERSON, SECRET);
      await fill(OTHER, 'bluebird');
      const data = app.app
        .get(ParticipantDataRegistry)
        .all()
        .find(({ name }) => name === step);
      if (!data) throw new Error(`no contribution is named ${step}`);
      jest.spyOn(data, 'erase').mockRejectedValueOnce(new Error('it failed'));
      expect((await tenant.request('DELETE', path())).status).toBe(503);
      expect(await collectionsOf(PERSON)).toContain('participant_erasures');
      expect(await app.app.get(ParticipantEraser).sweep()).toBe(1);
      expect(await collectionsOf(SECRET, PERSON)).toEqual([]);
      expect(await app.app.get(ParticipantEraser).sweep()).toBe(0);
      expect(await collectionsOf('bluebird')).toEqual(expect.arrayContaining(['messages', 'sessions']));
    },
  );

  it('is finished at the start of the next process, after a failure within a conversation', async () => {
    await begin();
    await must(say(PERSON, SECRET, { externalId: 'wamid.1' }));
    jest.spyOn(app.app.get(ConversationEraser), 'finish').mockRejectedValueOnce(new Error('it failed'));
    expect((await tenant.request('DELETE', path())).status).toBe(503);
    expect(await collectionsOf(SECRET)).toEqual(['messages']);
    await create({ MONGODB_URI: app.database.uri });
    await eventually(async () => (await collectionsOf(SECRET, PERSON)).length === 0);
    expect(await say(PERSON, SECRET, { externalId: 'wamid.1' })).toMatchObject({ status: 410 });
  });

  it('erases whom a restored backup names only by the hash', async () => {
    await begin();
    await app.startWorkers();
    await fill(PERSON, SECRET);
    await fill(OTHER, 'bluebird');
    // Participants of whom only one module holds something.
    await must(tenant.request('PATCH', '/v1/sessions/only-a-session', { context: { about: SECRET } }));
    const alone = { participantId: 'only-a-transcript', channel: 'web', transcript: SECRET };
    await waitForTranscript(
      (await must(tenant.request<{ id: string }>('POST', '/v1/transcripts', alone))).id,
    );
    const hashes = app.app.get(ParticipantHashes);
    const { tenantId } = tenant;
    const erasedAt = new Date('2026-11-01T00:00:00Z');
    const rows = [];
    for (const id of [PERSON, 'only-a-session', 'only-a-transcript', 'nobody'])
      rows.push({ tenantId, participantHash: await hashes.of(tenantId, id), erasedAt, state: 'pending' });
    await app.database.collection('participant_erasures').insertMany(rows);
    expect(await app.app.get(ParticipantEraser).sweep()).toBe(4);
    expect(await collectionsOf(SECRET, PERSON, 'only-a-session', 'only-a-transcript')).toEqual([]);
    expect(await collectionsOf('bluebird')).toEqual(expect.arrayContaining(['messages', 'sessions']));
    const done = { tenantId, state: 'done', erasedAt: { $gte: erasedAt } };
    expect(await app.database.collection('participant_erasures').countDocuments(done)).toBe(4);
  });

  it('keeps the hashes when the key is encrypted, and when the encrypting key is rotated', async () => {
    await begin();
    const key = (text: string): string => Buffer.alloc(32, text).toString('base64');
    const hashOf = (by: TestApp) => by.app.get(ParticipantHashes).of(tenant.tenantId, PERSON);
    const hash = await hashOf(app);
    expect(hash).toMatch(/^[\w-]{43}$/);
    const start = (keys: string) => create({ MONGODB_URI: app.database.uri, SECRETS_KEY: keys });
    const stored = async () => JSON.stringify(await app.database.collection('erasure_keys').find().toArray());
    const plain = await stored();
    expect(await hashOf(await start(key('a')))).toBe(hash);
    expect(await stored()).toMatch(/"sealedBy"/);
    expect(await stored()).not.toContain((JSON.parse(plain) as [{ key: string }])[0].key);
    expect(await hashOf(await start(`${key('b')},${key('a')}`))).toBe(hash);
    expect(await hashOf(await start(key('b')))).toBe(hash);
    await expect(start(key('c'))).rejects.toThrow('is not in SECRETS_KEY');
  });

  it('is counted afterwards: a contribution that leaves something fails the request', async () => {
    await begin();
    app.app.get(ParticipantDataRegistry).contribute({
      name: 'sticky',
      erase: () => Promise.resolve({ notes: 0 }),
      count: () => Promise.resolve({ notes: 1 }),

      async *export() {
        yield { kind: 'note', document: {} };
      },
    });
    expect(await tenant.request('DELETE', path())).toMatchObject({
      status: 503,
      body: { code: 'erasure_unfinished' },
    });
  });
});

describeWithRedis('erasing a participant with Redis', () => {
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

  it('leaves nothing in Redis or the memory of another process but a marker for five minutes', async () => {
    await begin();
    await app.startWorkers();
    const other = await create({ MONGODB_URI: app.database.uri });
    const redis = new Redis(server.url);
    const prefix = settings['REDIS_KEY_PREFIX'] ?? '';
    try {
      await fill(PERSON, SECRET);
      const memory = other.app.get(ConversationStateManager);
      const inbound = { participantId: PERSON, channel: 'web', content: SECRET };
      await must(other.request('POST', '/v1/messages', inbound, {}, tenant.apiKey));
      expect(memory.peek(tenant.tenantId, PERSON)).toBeDefined();
      expect(await redisKeysWith(redis, prefix, SECRET)).not.toEqual([]);
      await erase();
      expect(await redisKeysWith(redis, prefix, SECRET)).toEqual([]);
      const named = await redisKeysWith(redis, prefix, encodeURIComponent(PERSON));
      expect(named).toEqual([expect.stringContaining('session')]);
      expect(await redis.pttl(named[0] ?? '')).toBeLessThanOrEqual(5 * 60_000);
      expect(await redis.pttl(named[0] ?? '')).toBeGreaterThan(0);
      await eventually(() => memory.peek(tenant.tenantId, PERSON) === undefined);
      await eventually(async () => {
        const search = { query: SECRET };
        const found = await other.request('POST', '/v1/transcripts/search', search, {}, tenant.apiKey);
        return !JSON.stringify(found.body).includes(PERSON);
      });
    } finally {
      redis.disconnect();
    }
  });
});
