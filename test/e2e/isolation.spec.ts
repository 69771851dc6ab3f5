import { randomBytes } from 'node:crypto';
import { createTestApp, type TestApp, type TestTenant } from '../support/app.js';
import { eventually } from '../support/eventually.js';

/**
 * The data of one tenant, created for each case. `marker` is contained in all of its texts and nowhere else.
 */
interface OwnedData {
  owner: TestTenant;
  stranger: TestTenant;
  marker: string;
  participantId: string;
  conversationId: string;
  messageId: string;
  externalId: string;
  goalId: string;
  jobId: string;
  transcriptId: string;
  deadLetterId: string;
}

/** The prefix of every marker, contained in no other text. */
const MARK = 'ownedbyanother';

interface Case {
  /**
   * refused: the other tenant gets 404 or 403, the owner 2xx. apart: the names in the request belong to the
   * caller, so both tenants get 2xx, each for its own rows. either: like apart, and the admin key is accepted
   * too. admin: only the admin key is accepted, whichever tenant owns the ids. public: the route returns no
   * stored data. pages: the sign-in pages for operators, which are tested in admin.spec.ts.
   */
  kind: 'refused' | 'apart' | 'either' | 'admin' | 'public' | 'pages';
  path: (of: OwnedData) => string;
  body?: (of: OwnedData) => unknown;
}

const refused = (path: Case['path'], body?: Case['body']): Case => ({
  kind: 'refused',
  path,
  ...(body && { body }),
});
const apart = (path: Case['path'], body?: Case['body']): Case => ({
  kind: 'apart',
  path,
  ...(body && { body }),
});
const admin = (path: Case['path'], body?: Case['body']): Case => ({
  kind: 'admin',
  path,
  ...(body && { body }),
});
const either = (path: Case['path'], body?: Case['body']): Case => ({
  kind: 'either',
  path,
  ...(body && { body }),
});
const pages = (path: string): Case => ({ kind: 'pages', path: () => path });
const open = (path: string): Case => ({ kind: 'public', path: () => path });

const ofConversation = ({ conversationId }: OwnedData): string => `/v1/conversations/${conversationId}`;
const ofSession = ({ participantId }: OwnedData): string => `/v1/sessions/${participantId}`;
const ofParticipant = ({ participantId }: OwnedData): string => `/v1/participants/${participantId}`;
const ofTenant = ({ owner }: OwnedData): string => `/v1/tenants/${owner.tenantId}`;
const keyIdOf = ({ owner }: OwnedData): string => owner.apiKey.split('_')[1] ?? '';

/**
 * One case for each route of the application. The first test below fails if a route has no case, and names
 * the route.
 */
const cases: Record<string, Case> = {
  'GET /': open('/'),
  'GET /health/live': open('/health/live'),
  'GET /health/ready': open('/health/ready'),
  'GET /health/startup': open('/health/startup'),
  'GET /metrics': open('/metrics'),

  'POST /v1/tenants': admin(
    () => '/v1/tenants',
    () => ({ id: 'another', name: 'Another' }),
  ),
  'GET /v1/tenants': admin(() => '/v1/tenants'),
  'GET /v1/tenants/:id': admin(ofTenant),
  'GET /v1/tenants/:id/usage': admin((of) => `${ofTenant(of)}/usage`),
  'PATCH /v1/tenants/:id': admin(ofTenant, () => ({ name: 'Taken over' })),
  'DELETE /v1/tenants/:id': admin(ofTenant),
  'POST /v1/tenants/:id/conversations/:conversationId/messages': admin(
    (of) => `${ofTenant(of)}/conversations/${of.conversationId}/messages`,
    () => ({ messages: [{ role: 'user', content: 'Slipped in' }] }),
  ),
  'POST /v1/tenants/:id/keys': admin((of) => `${ofTenant(of)}/keys`),
  'GET /v1/tenants/:id/keys': admin((of) => `${ofTenant(of)}/keys`),
  'DELETE /v1/tenants/:id/keys/:keyId': admin((of) => `${ofTenant(of)}/keys/${keyIdOf(of)}`),
  'GET /v1/tenant': apart(() => '/v1/tenant'),

  'POST /v1/conversations': apart(
    () => '/v1/conversations',
    ({ participantId }) => ({ participantId, channel: 'web' }),
  ),
  'GET /v1/conversations': apart(({ participantId }) => `/v1/conversations?participantId=${participantId}`),
  'GET /v1/conversations/:id': refused(ofConversation),
  'PATCH /v1/conversations/:id': refused(ofConversation, () => ({ title: 'Taken over' })),
  'DELETE /v1/conversations/:id': refused(ofConversation),
  'POST /v1/conversations/:id/close': refused(
    (of) => `${ofConversation(of)}/close`,
    () => ({ summary: 'Taken over' }),
  ),
  'POST /v1/conversations/:id/messages': refused(
    (of) => `${ofConversation(of)}/messages`,
    () => ({ messages: [{ role: 'user', content: 'Slipped in' }] }),
  ),
  'GET /v1/conversations/:id/messages': refused((of) => `${ofConversation(of)}/messages`),

  'PATCH /v1/conversations/:id/messages/:messageId': refused(
    (of) => `${ofConversation(of)}/messages/${of.messageId}`,
    () => ({ content: 'Taken over' }),
  ),
  'DELETE /v1/conversations/:id/messages/:messageId': refused(
    (of) => `${ofConversation(of)}/messages/${of.messageId}`,
  ),
  'GET /v1/participants': apart(() => '/v1/participants'),
  'GET /v1/participants/:participantId/export': apart((of) => `${ofParticipant(of)}/export`),
  'DELETE /v1/participants/:participantId': apart(ofParticipant),

  'GET /v1/messages': apart(() => '/v1/messages'),
  'POST /v1/messages': apart(
    () => '/v1/messages',
    ({ participantId, externalId }) => ({ participantId, channel: 'web', content: 'Hello', externalId }),
  ),

  'GET /v1/responder': apart(() => '/v1/responder'),
  'PUT /v1/responder': apart(
    () => '/v1/responder',
    () => ({
      type: 'http',
      config: { url: 'https://bot.example.com/reply', secret: 'a-secret-of-the-test' },
    }),
  ),
  'DELETE /v1/responder': apart(() => '/v1/responder'),

  'POST /v1/transcripts': apart(
    () => '/v1/transcripts',
    ({ participantId }) => ({ participantId, channel: 'web', transcript: 'Hello' }),
  ),
  'GET /v1/transcripts': apart(() => '/v1/transcripts'),
  'POST /v1/transcripts/search': apart(
    () => '/v1/transcripts/search',
    () => ({ query: MARK }),
  ),
  'GET /v1/transcripts/:id': refused(({ transcriptId }) => `/v1/transcripts/${transcriptId}`),
  'DELETE /v1/transcripts/:id': refused(({ transcriptId }) => `/v1/transcripts/${transcriptId}`),

  'GET /v1/transcripts/stats': either(() => '/v1/transcripts/stats'),
  'POST /v1/transcripts/replay': either(
    () => '/v1/transcripts/replay',
    () => ({ limit: 1 }),
  ),
  'POST /v1/transcripts/:id/replay': refused(({ deadLetterId }) => `/v1/transcripts/${deadLetterId}/replay`),

  'GET /v1/jobs/:queue/:id': refused(({ jobId }) => `/v1/jobs/a-queue/${jobId}`),

  'GET /v1/queues': admin(() => '/v1/queues'),
  'GET /v1/queues/:queue/jobs': admin(() => '/v1/queues/a-queue/jobs'),
  'GET /v1/queues/:queue/jobs/:id': admin(({ jobId }) => `/v1/queues/a-queue/jobs/${jobId}`),
  'POST /v1/queues/:queue/jobs/:id/retry': admin(({ jobId }) => `/v1/queues/a-queue/jobs/${jobId}/retry`),
  'DELETE /v1/queues/:queue/jobs/:id': admin(({ jobId }) => `/v1/queues/a-queue/jobs/${jobId}`),

  'GET /v1/archives': admin(() => '/v1/archives'),
  'GET /v1/archives/runs': admin(() => '/v1/archives/runs'),
  'POST /v1/archives/run': admin(
    () => '/v1/archives/run',
    () => ({ dryRun: true }),
  ),
  'POST /v1/archives/:id/restore': admin(({ jobId }) => `/v1/archives/${jobId}/restore`),

  'GET /admin': pages('/admin'),
  'GET /admin/login': pages('/admin/login'),
  'POST /admin/login': pages('/admin/login'),
  'GET /admin/logout': pages('/admin/logout'),
  'POST /admin/logout': pages('/admin/logout'),
  'GET /admin/dashboard': pages('/admin/dashboard'),
  'GET /admin/dashboard/events': pages('/admin/dashboard/events'),
  'GET /admin/dashboard/assets/:name': pages('/admin/dashboard/assets/dashboard.js'),

  'GET /v1/cache/stats': admin(() => '/v1/cache/stats'),
  'GET /v1/monitoring': admin(() => '/v1/monitoring'),
  'GET /v1/sessions/stats': admin(() => '/v1/sessions/stats'),
  'GET /v1/sessions/:participantId': refused(ofSession),
  'PATCH /v1/sessions/:participantId': apart(ofSession, () => ({ context: { taken: 'over' } })),
  'DELETE /v1/sessions/:participantId': refused(ofSession),
  'POST /v1/sessions/:participantId/goals': apart(
    (of) => `${ofSession(of)}/goals`,
    () => ({ type: 'slipped_in' }),
  ),
  'PATCH /v1/sessions/:participantId/goals/:goalId': refused(
    (of) => `${ofSession(of)}/goals/${of.goalId}`,
    () => ({ status: 'cancelled' }),
  ),
};

describe('a tenant that uses the ids of another tenant', () => {
  let app: TestApp;
  let owner: TestTenant;
  let stranger: TestTenant;

  beforeAll(async () => {
    // Every route is tried with a wrong key, from one address.
    app = await createTestApp({ TRANSCRIPT_BATCH_TIMEOUT_MS: '10', WRONG_KEYS_PER_MINUTE: '0' });
    owner = await app.createTenant();
    stranger = await app.createTenant();
  });
  afterAll(() => app.close());

  const must = async <Body>(answer: Promise<{ status: number; body: Body }>): Promise<Body> => {
    const { status, body } = await answer;
    if (status >= 300) throw new Error(`${status} ${JSON.stringify(body)}`);
    return body;
  };

  async function createOwnedData(): Promise<OwnedData> {
    const marker = `${MARK}${randomBytes(6).toString('hex')}`;
    const participantId = `p-${randomBytes(6).toString('hex')}`;
    const externalId = `x-${randomBytes(6).toString('hex')}`;
    const { id: conversationId } = await must(
      owner.request<{ id: string }>('POST', '/v1/conversations', {
        participantId,
        channel: 'web',
        title: marker,
        metadata: { marker },
      }),
    );
    const appended = await must(
      owner.request<{ data: { id: string }[] }>('POST', `/v1/conversations/${conversationId}/messages`, {
        messages: [
          { role: 'user', content: marker, metadata: { marker } },
          { role: 'user', content: 'Hello', externalId },
        ],
      }),
    );
    const session = await must(
      owner.request<{ activeGoals: { id: string }[] }>('PATCH', `/v1/sessions/${participantId}`, {
        activeGoals: [{ type: marker, slots: { marker } }],
        context: { marker },
      }),
    );
    const goalId = session.activeGoals[0]?.id ?? '';
    const jobId = await storeJob(owner.tenantId, marker);
    const { id: transcriptId } = await must(
      owner.request<{ id: string }>('POST', '/v1/transcripts', {
        participantId,
        channel: 'web',
        transcript: marker,
        metadata: { marker },
      }),
    );
    const state = (): Promise<{ status: string }> =>
      must(owner.request('GET', `/v1/transcripts/${transcriptId}`));
    await eventually(async () => (await state()).status === 'stored');
    return {
      owner,
      stranger,
      marker,
      participantId,
      conversationId,
      messageId: appended.data[0]?.id ?? '',
      externalId,
      goalId,
      jobId,
      transcriptId,
      deadLetterId: await storeDeadLetter(owner.tenantId, marker),
    };
  }

  let untouched: Promise<OwnedData> | undefined;
  /** Data shared by all requests that change nothing. */
  const sharedOwnedData = (): Promise<OwnedData> => (untouched ??= createOwnedData());

  /** Stores a completed job directly, since clients cannot create one. */
  async function storeJob(tenantId: string, marker: string): Promise<string> {
    const now = new Date();
    const { insertedId } = await app.database.collection('jobs').insertOne({
      tenantId,
      queue: 'a-queue',
      payload: { marker },
      state: 'completed',
      priority: 5,
      dueAt: now,
      attempts: 1,
      progress: 100,
      result: { marker },
      failures: [],
      createdAt: now,
      updatedAt: now,
    });
    return insertedId.toHexString();
  }

  async function storeDeadLetter(tenantId: string, marker: string): Promise<string> {
    const now = new Date();
    const { insertedId } = await app.database.collection('transcripts').insertOne({
      tenantId,
      participantId: marker,
      channel: 'web',
      transcript: marker,
      metadata: { marker },
      status: 'failed',
      error: marker,
      changeSeq: 0,
      createdAt: now,
      storedAt: now,
    });
    return insertedId.toHexString();
  }

  /**
   * Returns everything stored for the owner in any collection, read directly from the database once the
   * background work of earlier requests has finished.
   */
  async function storedOfOwner(): Promise<Record<string, unknown[]>> {
    const { tenantId } = owner;
    const queued = { tenantId, status: 'queued' };
    await eventually(async () => (await app.database.collection('transcripts').countDocuments(queued)) === 0);
    // The time of the last use of a key is written after the responses to the owner's own requests.
    const projection = { lastUsedAt: 0 };
    const rows: Record<string, unknown[]> = {};
    for (const name of await app.database.collectionNames())
      rows[name] = await app.database
        .collection(name)
        .find({ tenantId }, { projection })
        .sort({ _id: 1 })
        .toArray();
    for (const name of ['tenants', 'conversations', 'messages', 'sessions'])
      if (!rows[name]?.length)
        throw new Error(`the owner has nothing in ${name}, so the comparison would prove nothing`);
    return rows;
  }

  const textOf = (body: unknown): string => JSON.stringify(body ?? null);

  it('has a case for every route that the application registered', () => {
    const routes = new Set(
      app.routes
        .filter(({ path }) => !path.startsWith('/docs'))
        .map(({ method, path }) => `${method} ${path}`),
    );
    const missing = [...routes].filter((route) => !Object.hasOwn(cases, route));
    const gone = Object.keys(cases).filter((route) => !routes.has(route));
    expect([
      ...missing.map((route) => `add a case for '${route}' to \`cases\` in test/e2e/isolation.spec.ts`),
      ...gone.map(
        (route) => `remove '${route}' from \`cases\` in test/e2e/isolation.spec.ts: there is no such route`,
      ),
    ]).toEqual([]);
  });

  const named = (...kinds: Case['kind'][]): [string, Case][] =>
    Object.entries(cases).filter(([, { kind }]) => kinds.includes(kind));

  const methodOf = (name: string): string => name.split(' ', 1)[0] ?? '';

  it.each(named('refused'))('%s: is rejected and changes nothing', async (name, { path, body }) => {
    const data = await createOwnedData();
    const before = await storedOfOwner();
    const answer = await stranger.request(methodOf(name), path(data), body?.(data));
    expect([403, 404]).toContain(answer.status);
    expect(textOf(answer.body)).not.toContain(data.marker);
    expect(await storedOfOwner()).toEqual(before);
    // The same request succeeds for the owner, so it was rejected because of the tenant.
    const own = await owner.request(methodOf(name), path(data), body?.(data));
    expect(own.status).toBeLessThan(300);
  });

  it.each(named('apart', 'either'))(
    '%s: each tenant sees and changes only its own rows',
    async (name, { path, body }) => {
      const data = await createOwnedData();
      const before = await storedOfOwner();
      const answer = await stranger.request(methodOf(name), path(data), body?.(data));
      expect(answer.status).toBeLessThan(300);
      const text = textOf(answer.body);
      for (const foreign of [
        data.marker,
        data.conversationId,
        data.goalId,
        data.jobId,
        data.transcriptId,
        data.deadLetterId,
        owner.tenantId,
      ])
        expect(text).not.toContain(foreign);
      expect(await storedOfOwner()).toEqual(before);
      const own = await owner.request(methodOf(name), path(data), body?.(data));
      expect(own.status).toBeLessThan(300);
    },
  );

  it.each(named('admin'))('%s: accepts only the admin key', async (name, { path, body }) => {
    const data = await sharedOwnedData();
    const before = await storedOfOwner();
    for (const tenant of [stranger, owner]) {
      const answer = await tenant.request(methodOf(name), path(data), body?.(data));
      expect(answer).toMatchObject({ status: 403, body: { code: 'admin_key_required' } });
    }
    expect(await storedOfOwner()).toEqual(before);
    expect(await must(owner.request('GET', '/v1/tenant'))).toMatchObject({ id: owner.tenantId });
  });

  it.each(named('public'))('%s: returns no data of any tenant', async (name, { path }) => {
    const data = await sharedOwnedData();
    const { status, body } = await app.request(methodOf(name), path(data), undefined, {}, null);
    expect(status).toBe(200);
    expect(textOf(body)).not.toContain(owner.tenantId);
  });

  it.each(named('pages'))(
    "%s: a tenant's key opens nothing, and nothing of a tenant is shown",
    async (name, { path }) => {
      const data = await sharedOwnedData();
      const before = await storedOfOwner();
      const answer = await stranger.request(methodOf(name), path(data));
      expect(textOf(answer.body)).not.toContain(owner.tenantId);
      expect(answer.headers.getSetCookie()).toEqual([]);
      expect(await storedOfOwner()).toEqual(before);
    },
  );

  it.each(named('refused', 'apart'))(
    '%s: rejects no key, an unknown key and the admin key',
    async (name, { path, body }) => {
      const data = await sharedOwnedData();
      const before = await storedOfOwner();
      for (const [key, status] of [
        [null, 401],
        ['ck_0000000000000000_unknown', 401],
        [app.adminKey, 403],
      ] as const) {
        const answer = await app.request(methodOf(name), path(data), body?.(data), {}, key);
        expect(answer.status).toBe(status);
      }
      expect(await storedOfOwner()).toEqual(before);
    },
  );

  it.each(named('either'))('%s: rejects no key and an unknown key', async (name, { path, body }) => {
    const data = await sharedOwnedData();
    for (const key of [null, 'ck_0000000000000000_unknown'])
      expect((await app.request(methodOf(name), path(data), body?.(data), {}, key)).status).toBe(401);
    const operator = await app.request(methodOf(name), path(data), body?.(data));
    expect(operator.status).toBeLessThan(500);
    expect(textOf(operator.body)).not.toContain(data.marker);
  });

  it('lists no row of another tenant, whichever filter or cursor is passed', async () => {
    const data = await createOwnedData();
    await createOwnedData();
    for (const list of ['/v1/conversations', '/v1/messages']) {
      const mine = await must(
        owner.request<{ nextCursor: string | null; data: unknown[] }>('GET', `${list}?limit=1`),
      );
      expect(mine.data).toHaveLength(1);
      expect(mine.nextCursor).not.toBeNull();
      const theirs = await must(
        stranger.request('GET', `${list}?limit=200&cursor=${encodeURIComponent(mine.nextCursor ?? '')}`),
      );
      expect(textOf(theirs)).not.toContain(MARK);
    }
    const filters = [`participantId=${data.participantId}`, 'channel=web', 'active=true'];
    for (const filter of filters)
      expect(textOf(await must(stranger.request('GET', `/v1/conversations?${filter}`)))).not.toContain(
        'mark',
      );
  });
});
