import type { TestApp, TestTenant } from './app.js';
import { eventually } from './eventually.js';

type Json = Record<string, unknown>;

/** A request that is accepted as it is. Single fields of its body are then replaced. */
export interface Prepared {
  target: string;
  body: Json;
  /** For a merge patch: what is stored already. */
  before?: unknown;
  key?: string;
}

export interface ValueRoute {
  prepare(): Promise<Prepared>;
  /**
   * Reads what was stored, as the members of the body. Absent if nothing of the body is stored.
   * @param sent the body that was accepted
   */
  read?(response: Json, prepared: Prepared, sent: Json): Promise<unknown>;
}

const attachment = {
  type: 'image',
  url: 'https://cdn.example.com/a.png',
  name: 'a',
  mime: 'image/png',
  size: 1,
};
const stored = { a: 1, b: { c: [null], d: null } };
/** A merge patch creates it, so it has no members that are null. */
const patched = { a: 1, b: { c: [null] } };

/** The keys that closing a conversation sets itself. */
const factKeys = [
  'conversationId',
  'title',
  'messageCount',
  'omittedMessages',
  'firstMessageAt',
  'lastMessageAt',
];

const withoutFacts = (metadata: unknown): Json =>
  Object.fromEntries(Object.entries(metadata ?? {}).filter(([key]) => !factKeys.includes(key)));

const encoded = encodeURIComponent;

/** The routes with a body, each with a request that is accepted and a way to read what it stored. */
export function valueRoutes(app: TestApp, tenant: TestTenant): Record<string, ValueRoute> {
  let count = 0;
  const next = (): string => `n${count++}`;
  const send = async (method: string, path: string, body?: Json, key = tenant.apiKey): Promise<Json> => {
    const response = await app.request(method, path, body, {}, key);
    if (response.status >= 300)
      throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(response.body)}`);
    return response.body;
  };
  const get = (path: string, key?: string): Promise<Json> => send('GET', path, undefined, key);
  const rows = async (path: string): Promise<Json[]> => (await get(path))['data'] as Json[];
  const newConversation = async (metadata: Json = {}): Promise<string> => {
    const body = { participantId: next(), channel: 'web', title: 'x', metadata };
    return String((await send('POST', '/v1/conversations', body))['id']);
  };
  /** @throws Error unless a list with this filter has the row */
  const expectFound = async (path: string, filter: Json, id: unknown): Promise<void> => {
    const query = Object.entries(filter).map(([name, value]) => `${name}=${encoded(String(value))}`);
    const found = await rows(`${path}?${query.join('&')}`);
    if (!found.some((row) => row['id'] === id))
      throw new Error(`not found again: ${path} ${JSON.stringify(filter)}`);
  };
  const transcriptOf = async (id: unknown): Promise<Json> => {
    let state: Json = {};
    await eventually(async () => {
      const response = await tenant.request('GET', `/v1/transcripts/${String(id)}`);
      state = response.body;
      return state['status'] === 'stored' || state['status'] === 'failed';
    });
    if (state['status'] !== 'stored')
      throw new Error(`the transcript failed: ${JSON.stringify(state).slice(0, 500)}`);
    return state;
  };
  const message = (): Json => ({
    role: 'user',
    content: 'x',
    attachments: [attachment],
    externalId: next(),
    metadata: {},
  });
  const readMessages = async (response: Json, { target }: Prepared): Promise<Json> => {
    const [first] = response['data'] as { id: string; seq: number; externalId: string | null }[];
    const path = target.replace(/^\/v1\/tenants\/[^/]+/, '');
    const list = path.startsWith('/v1') ? path : `/v1${path}`;
    const { id, seq = 0, externalId } = first ?? {};
    if (typeof externalId === 'string') await expectFound('/v1/messages', { externalId }, id);
    return { messages: await rows(`${list}?afterSeq=${seq - 1}`) };
  };
  let shared: Promise<string> | undefined;
  const goalOf = async (participantId: string): Promise<Json | undefined> =>
    ((await get(`/v1/sessions/${participantId}`))['activeGoals'] as Json[])[0];
  const newSession = async (): Promise<{ path: string; participantId: string }> => {
    const participantId = next();
    const path = `/v1/sessions/${participantId}`;
    await send('PATCH', path, { activeGoals: [{ id: 'g', type: 'a', slots: stored }], context: patched });
    return { path, participantId };
  };

  return {
    'post /v1/tenants': {
      prepare: async () => ({
        target: '/v1/tenants',
        body: { id: next(), name: 'x', plan: 'pro' },
        key: app.adminKey,
      }),
      read: async ({ tenant: made }) => {
        const { id } = made as { id: string };
        return get(`/v1/tenants/${encoded(id)}`, app.adminKey);
      },
    },
    'patch /v1/tenants/{id}': {
      prepare: async () => {
        const id = next();
        await send('POST', '/v1/tenants', { id, name: id }, app.adminKey);
        const features = { responder: false, sharedState: false, transcripts: false };
        const retention = { conversations: 1, transcripts: 2, jobs: 3 };
        const body = { name: 'x', plan: 'pro', isActive: false, features, retention };
        return { target: `/v1/tenants/${id}`, body, key: app.adminKey };
      },
      read: (_response, { target }) => get(target, app.adminKey),
    },
    'post /v1/archives/run': {
      prepare: () =>
        Promise.resolve({
          target: '/v1/archives/run',
          body: { tenantId: tenant.tenantId, kind: 'jobs', olderThanDays: 36_500, dryRun: true },
          key: app.adminKey,
        }),
    },
    'patch /v1/sessions/{participantId}': {
      prepare: async () => {
        const { path } = await newSession();
        const body = { activeGoals: [{ id: 'h', type: 'a', status: 'active', slots: {} }], context: {} };
        return { target: path, body, before: { context: patched } };
      },
      read: async (_response, { target }, { activeGoals }) => {
        const session = await get(target);
        // Every id that is accepted can be the segment of a path.
        const [goal] = (activeGoals ?? []) as { id?: string }[];
        if (goal?.id !== undefined) await send('PATCH', `${target}/goals/${encoded(goal.id)}`, {});
        return session;
      },
    },
    'post /v1/sessions/{participantId}/goals': {
      prepare: async () => ({ target: `/v1/sessions/${next()}/goals`, body: { type: 'a', slots: {} } }),
      read: (_response, { target }) => goalOf(target.split('/')[3] ?? ''),
    },
    'patch /v1/sessions/{participantId}/goals/{goalId}': {
      prepare: async () => {
        const { path } = await newSession();
        const body = { status: 'completed', slots: {} };
        return { target: `${path}/goals/g`, body, before: { slots: stored } };
      },
      read: (_response, { target }) => goalOf(target.split('/')[3] ?? ''),
    },
    'post /v1/conversations': {
      prepare: async () => ({
        target: '/v1/conversations',
        body: { participantId: next(), channel: 'web', title: 'x', metadata: {} },
      }),
      read: async ({ id }, _prepared, { participantId, channel }) => {
        await expectFound('/v1/conversations', { participantId, channel }, id);
        // The id can also be the segment of a path.
        await send('PATCH', `/v1/sessions/${encoded(String(participantId))}`, { context: {} });
        return get(`/v1/conversations/${String(id)}`);
      },
    },
    'patch /v1/conversations/{id}': {
      prepare: async () => {
        const target = `/v1/conversations/${await newConversation(stored)}`;
        return { target, body: { title: 'y', isActive: false, metadata: {} }, before: { metadata: stored } };
      },
      read: (_response, { target }) => get(target),
    },
    'post /v1/conversations/{id}/close': {
      prepare: async () => {
        const path = `/v1/conversations/${await newConversation()}`;
        await send('POST', `${path}/messages`, { messages: [message()] });
        return { target: `${path}/close`, body: { summary: 'x', metadata: {} } };
      },
      read: async ({ transcriptId }, _prepared, sent) => {
        const { summary, metadata } = await transcriptOf(transcriptId);
        const given = (sent['metadata'] ?? {}) as Json;
        const facts = Object.fromEntries(Object.entries(given).filter(([key]) => factKeys.includes(key)));
        return { summary, metadata: { ...withoutFacts(metadata), ...facts } };
      },
    },
    'post /v1/conversations/{id}/messages': {
      prepare: async () => {
        shared ??= newConversation();
        return {
          target: `/v1/conversations/${await shared}/messages`,
          body: { messages: [message(), message()] },
        };
      },
      read: readMessages,
    },
    'patch /v1/conversations/{id}/messages/{messageId}': {
      prepare: async () => {
        const path = `/v1/conversations/${await newConversation()}/messages`;
        const { data } = await send('POST', path, { messages: [{ ...message(), metadata: stored }] });
        const [{ id } = { id: '' }] = data as { id: string }[];
        const body = { content: 'y', attachments: [attachment], metadata: {} };
        return { target: `${path}/${id}`, body, before: { metadata: stored } };
      },
      read: async (_response, { target }) => (await rows(target.replace(/\/[^/]+$/, '')))[0],
    },
    'post /v1/messages': {
      prepare: async () => ({
        target: '/v1/messages',
        body: {
          participantId: next(),
          channel: 'web',
          content: 'x',
          attachments: [attachment],
          externalId: next(),
          metadata: {},
        },
      }),
      read: async ({ conversation }, _prepared, { channel, participantId, externalId }) => {
        const { id } = conversation as { id: string };
        const [first] = await rows(`/v1/conversations/${id}/messages`);
        const kept = await get(`/v1/conversations/${id}`);
        await get(`/v1/sessions/${encoded(String(participantId))}`);
        if (typeof externalId === 'string')
          await expectFound('/v1/messages', { externalId, channel, participantId }, first?.['id']);
        return { ...first, channel: kept['channel'], participantId: kept['participantId'] };
      },
    },
    'post /v1/tenants/{id}/conversations/{conversationId}/messages': {
      prepare: async () => ({
        target: `/v1/tenants/${tenant.tenantId}/conversations/${await newConversation()}/messages`,
        body: { messages: [{ ...message(), timestamp: '2024-02-29T12:00:00.5+01:00' }] },
        key: app.adminKey,
      }),
      read: readMessages,
    },
    'post /v1/transcripts/replay': {
      prepare: async () => ({
        target: '/v1/transcripts/replay',
        body: { limit: 1, tenantId: tenant.tenantId },
        key: app.adminKey,
      }),
    },
    'post /v1/transcripts': {
      prepare: async () => ({
        target: '/v1/transcripts',
        body: {
          participantId: next(),
          channel: 'web',
          transcript: 'x',
          summary: 'x',
          metadata: {},
          externalId: next(),
        },
      }),
      read: async ({ id }, _prepared, { participantId }) => {
        const transcript = await transcriptOf(id);
        await expectFound('/v1/transcripts', { participantId }, id);
        return transcript;
      },
    },
    'post /v1/transcripts/search': {
      prepare: async () => ({ target: '/v1/transcripts/search', body: { query: 'x', limit: 1 } }),
    },
    // Accepts any settings; those of the built-in responders are below.
    'put /v1/responder': {
      prepare: async () => ({
        target: '/v1/responder',
        body: { type: 'any', config: {} },
        key: (await app.createTenant()).apiKey,
      }),
      read: (_response, { key }) => get('/v1/responder', key),
    },
  };
}

const slot = { name: 'a', prompt: 'a?', reprompt: 'a!', required: true };
const goals = (more: Json): Json => ({
  templates: [
    { type: 'a', triggers: ['a'], interrupts: true, slots: [{ ...slot, ...more }], completion: 'done {a}' },
  ],
  fallback: 'no',
  cancelPhrases: ['stop'],
  cancelled: 'stopped',
  resumed: 'back',
  language: 'de',
  timeZone: 'UTC',
});

/** Settings of the built-in responders that together have every member. */
export const responderSettings: readonly (readonly [type: string, config: Json])[] = [
  ['goals', goals({ kind: 'choice', options: ['b'] })],
  ['goals', goals({ kind: 'number', min: 1, max: 100, integer: true })],
  ['goals', goals({ kind: 'time', earliest: '08:00' })],
  ['http', { url: 'https://bot.example.com/', secret: 'a-secret-of-some-length', historyLimit: 3 }],
];

/** What a responder may return, with every member. */
export const responderAnswer: Json = {
  reply: { content: 'x', attachments: [attachment], metadata: {} },
  activeGoals: [{ id: 'g', type: 'a', status: 'active', slots: {} }],
  context: {},
};
