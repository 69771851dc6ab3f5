import { createTestApp, type TestApp, type TestTenant } from '../support/app.js';

interface Message {
  id: string;
  seq: number;
  timestamp: string;
}

describe('POST /v1/tenants/:id/conversations/:conversationId/messages', () => {
  let test: TestApp;
  let tenant: TestTenant;
  let conversationId: string;

  beforeAll(async () => {
    test = await createTestApp();
  });
  afterAll(() => test.close());
  beforeEach(async () => {
    tenant = await test.createTenant();
    const body = { participantId: 'ann', channel: 'web' };
    conversationId = (await tenant.request<{ id: string }>('POST', '/v1/conversations', body)).body.id;
  });

  const post = (timestamps: readonly (string | undefined)[], of = tenant) => {
    const messages = timestamps.map((timestamp, n) => ({
      role: 'user',
      content: `message ${n}`,
      externalId: `m${n}`,
      ...(timestamp !== undefined && { timestamp }),
    }));
    const path = `/v1/tenants/${of.tenantId}/conversations/${conversationId}/messages`;
    return test.request<{ data: Message[]; code?: string }>('POST', path, { messages });
  };

  it('keeps the original dates', async () => {
    const dates = ['2024-02-29T12:00:00.000Z', '2024-02-29T12:00:00.000Z', '2025-01-01T00:00:00.123Z'];
    const { status, body } = await post(dates);
    expect(status).toBe(201);
    expect(body.data.map(({ seq, timestamp }) => [seq, timestamp])).toEqual(
      dates.map((date, n) => [n + 1, date]),
    );
    const path = `/v1/conversations/${conversationId}`;
    const listed = await tenant.request<{ data: Message[] }>('GET', `${path}/messages`);
    expect(listed.body.data).toEqual(body.data);
    const { body: conversation } = await tenant.request<{ lastMessageAt: string }>('GET', path);
    expect(conversation.lastMessageAt).toBe(dates[2]);
    expect(await post(dates)).toMatchObject({ status: 200, body });
  });

  it('dates a message without timestamp at its arrival', async () => {
    const before = Date.now();
    const { body } = await post(['2024-02-29T12:00:00Z', undefined]);
    expect(Date.parse(body.data[1]?.timestamp ?? '')).toBeGreaterThanOrEqual(before);
  });

  it.each<[string, string[]]>([
    ['earlier than the message before it', ['2024-02-29T12:00:00Z', '2024-02-29T11:59:59Z']],
    ['in the future', ['2999-01-01T00:00:00Z']],
  ])('refuses all messages if a timestamp is %s', async (_name, dates) => {
    const { status, body } = await post(dates);
    expect([status, body.code]).toEqual([409, 'timestamp_out_of_order']);
    const path = `/v1/conversations/${conversationId}/messages`;
    expect((await tenant.request<{ data: Message[] }>('GET', path)).body.data).toEqual([]);
  });

  it('refuses a timestamp before that of a stored message', async () => {
    await post(['2025-01-01T00:00:00Z']);
    const path = `/v1/tenants/${tenant.tenantId}/conversations/${conversationId}/messages`;
    const messages = [{ role: 'user', content: 'too old', timestamp: '2024-01-01T00:00:00Z' }];
    expect(await test.request('POST', path, { messages })).toMatchObject({ status: 409 });
  });

  it('needs the admin key and the tenant of the conversation', async () => {
    const path = `/v1/tenants/${tenant.tenantId}/conversations/${conversationId}/messages`;
    const messages = [{ role: 'user', content: 'hi', timestamp: '2024-01-01T00:00:00Z' }];
    expect((await tenant.request('POST', path, { messages })).status).toBe(403);
    expect((await post(['2024-01-01T00:00:00Z'], await test.createTenant())).status).toBe(404);
    const own = `/v1/conversations/${conversationId}/messages`;
    expect((await tenant.request('POST', own, { messages })).status).toBe(400);
  });
});
