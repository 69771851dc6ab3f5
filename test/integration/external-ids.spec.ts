import { getConnectionToken } from '@nestjs/mongoose';
import type { Connection, mongo } from 'mongoose';
import { IndexManager } from '../../src/database/index.js';
import { createTestApp, type TestApp, type TestTenant } from '../support/app.js';

interface Message {
  id: string;
  conversationId: string;
  content: string;
  externalId: string | null;
}

describe('externalIds of messages', () => {
  let test: TestApp;
  let tenant: TestTenant;
  let messages: mongo.Collection;

  beforeAll(async () => {
    test = await createTestApp();
    const { db } = test.app.get<Connection>(getConnectionToken());
    if (!db) throw new Error('not connected');
    messages = db.collection('messages');
  });
  afterAll(() => test.close());
  beforeEach(async () => {
    tenant = await test.createTenant();
  });

  const say = async (participantId: string, channel: string, externalId: string) => {
    const content = `${participantId} on ${channel}`;
    const { status, body } = await tenant.request<{ message: Message }>('POST', '/v1/messages', {
      participantId,
      channel,
      content,
      externalId,
    });
    return { status, message: body.message };
  };
  const find = async (query: string) =>
    (await tenant.request<{ data: Message[]; nextCursor: string | null }>('GET', `/v1/messages?${query}`))
      .body;

  it('identify a message of one participant on one channel', async () => {
    const first = await Promise.all([
      say('ann', 'telegram', '1'),
      say('bob', 'telegram', '1'),
      say('ann', 'whatsapp', '1'),
    ]);
    expect(first.map(({ status }) => status)).toEqual([201, 201, 201]);
    expect(new Set(first.map(({ message }) => message.id)).size).toBe(3);
    const again = await say('bob', 'telegram', '1');
    expect([again.status, again.message.id]).toEqual([200, first[1]?.message.id]);
  });

  it('identify an appended message in the same way', async () => {
    const append = async (participantId: string, channel: string) => {
      const body = { participantId, channel };
      const made = await tenant.request<{ id: string }>('POST', '/v1/conversations', body);
      return tenant.request('POST', `/v1/conversations/${made.body.id}/messages`, {
        messages: [{ role: 'user', content: 'hi', externalId: '7' }],
      });
    };
    expect((await append('ann', 'web')).status).toBe(201);
    expect((await append('bob', 'web')).status).toBe(201);
    expect((await append('ann', 'sms')).status).toBe(201);
    expect((await append('ann', 'web')).body).toMatchObject({ code: 'external_id_in_use' });
  });

  it('are found by GET /v1/messages, in pages, only for this tenant', async () => {
    for (const participant of ['ann', 'bob', 'cem']) await say(participant, 'telegram', '1');
    await say('ann', 'whatsapp', '1');
    await say('ann', 'telegram', '10');
    const contents = (rows: readonly Message[]): string[] => rows.map(({ content }) => content).sort();
    expect(contents((await find('externalId=1')).data)).toEqual([
      'ann on telegram',
      'ann on whatsapp',
      'bob on telegram',
      'cem on telegram',
    ]);
    expect(contents((await find('externalId=1&channel=whatsapp')).data)).toEqual(['ann on whatsapp']);
    const one = await find('externalId=1&channel=telegram&participantId=bob');
    expect([contents(one.data), one.nextCursor]).toEqual([['bob on telegram'], null]);
    expect((await find('externalId=2')).data).toEqual([]);
    const page = await find('externalId=1&limit=3');
    const rest = await find(`externalId=1&limit=3&cursor=${page.nextCursor ?? ''}`);
    expect([page.data.length, rest.data.length, rest.nextCursor]).toEqual([3, 1, null]);
    expect(new Set([...page.data, ...rest.data].map(({ id }) => id)).size).toBe(4);
    const stranger = await test.createTenant();
    const seen = await stranger.request<{ data: Message[] }>('GET', '/v1/messages?externalId=1');
    expect(seen.body.data).toEqual([]);
  });

  it.each(['channel=web', 'externalId=1&participantId=ann', 'externalId=', 'externalId=1&cursor=zzz'])(
    'GET /v1/messages rejects %s',
    async (query) => {
      expect((await tenant.request('GET', `/v1/messages?${query}`)).status).toBe(400);
    },
  );

  it('of an older version are still recognized once its index has been replaced', async () => {
    await messages.deleteMany({});
    const before = await say('ann', 'telegram', '1');
    await messages.updateMany({}, { $unset: { externalKey: 1 } });
    await messages.dropIndex('tenantId_1_externalKey_1');
    await messages.createIndex(
      { tenantId: 1, externalId: 1 },
      { unique: true, partialFilterExpression: { externalId: { $exists: true } } },
    );
    await test.app.get(IndexManager).ensure();
    const names = (await messages.indexes()).map(({ name }) => name);
    expect(names).toContain('tenantId_1_externalKey_1');
    expect(names).not.toContain('tenantId_1_externalId_1');
    const again = await say('ann', 'telegram', '1');
    expect([again.status, again.message.id]).toEqual([200, before.message.id]);
    expect((await say('bob', 'telegram', '1')).status).toBe(201);
  });
});
