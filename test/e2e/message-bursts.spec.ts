import type { ConversationRecord } from '../../src/conversation/conversation.schema.js';
import { MessageDebouncer } from '../../src/conversation/message-debouncer.js';
import type { MessageRecord } from '../../src/conversation/message.schema.js';
import { ResponderError, type ResponderRequest } from '../../src/responder/index.js';
import type { TestResponse, TestTenant } from '../support/app.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { createScriptedApp, type ScriptedApp } from '../support/scripted-app.js';

/** Longer than any test: only another message, or the end of the application, ends such a wait. */
const LONG_MS = 30_000;

interface Processed {
  conversation: { id: string };
  message: { id: string; seq: number };
  reply: { content: string; replyTo: string } | null;
  coalesced?: true;
  code?: string;
}

describe('bursts of messages (debounceMs)', () => {
  let database: TestDatabase;
  let app: ScriptedApp;
  let tenant: TestTenant;
  let requests: ResponderRequest[];

  beforeAll(async () => {
    database = createTestDatabase();
    app = await createScriptedApp(database);
  });
  afterAll(async () => {
    await app.close();
    await database.drop();
  });
  beforeEach(async () => {
    requests = [];
    record(app);
    tenant = await app.createTenant();
  });

  /** Lets the responder reply to messages, and records its calls. */
  const record = ({ responder }: ScriptedApp): void => {
    responder.script = (request) => {
      requests.push(request);
      return Promise.resolve({ reply: { content: `re: ${request.message.content}` } });
    };
  };
  const debounce = (debounceMs?: number, choice: object = { type: 'scripted', config: {} }) =>
    tenant.request('PUT', '/v1/responder', { ...choice, debounceMs });
  const say = (
    content: string,
    { by = app, ...more }: { by?: ScriptedApp; externalId?: string | undefined; metadata?: object } = {},
  ): Promise<TestResponse<Processed>> =>
    by.request(
      'POST',
      '/v1/messages',
      { participantId: 'ana', channel: 'web', content, externalId: content, ...more },
      {},
      tenant.apiKey,
    );
  const stored = (): Promise<MessageRecord[]> =>
    database
      .collection<MessageRecord>('messages')
      .find({ tenantId: tenant.tenantId })
      .sort({ conversationId: 1, seq: 1 })
      .toArray();
  const dialogue = async (): Promise<string[]> =>
    (await stored()).map(({ seq, role, content }) => `${seq} ${role}: ${content}`);
  const isStored = (content: string): Promise<void> =>
    eventually(async () => (await stored()).some((message) => message.content === content));
  const conversationOf = async (content: string): Promise<string> =>
    (await stored()).find((message) => message.content === content)?.conversationId.toHexString() ?? '';

  /** Sends a message that waits for others; resolves when it is stored. */
  const begin = async (
    content: string,
    options?: Parameters<typeof say>[1],
  ): Promise<{ response: Promise<TestResponse<Processed>> }> => {
    const response = say(content, options);
    await isStored(content);
    return { response };
  };
  /** Runs a test with another process on the database. */
  const withProcess = async (
    run: (process: ScriptedApp) => Promise<void>,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<void> => {
    const process = await createScriptedApp(database, settings);
    record(process);
    await run(process).finally(() => process.close());
  };
  /** Ends all waits of a process, as if their time had passed. Its later messages do not wait. */
  const endWaits = (process: ScriptedApp): void => {
    process.app.get(MessageDebouncer).close();
  };

  it('are answered once, by the request of the last message', async () => {
    await debounce(LONG_MS);
    const first = await begin('hi');
    const second = await begin('I need');
    await debounce(1);
    const last = await say('an appointment');
    expect(last).toMatchObject({ status: 201, body: { reply: { content: 're: an appointment' } } });
    expect(last.body).not.toHaveProperty('coalesced');
    expect(last.body.reply?.replyTo).toBe(last.body.message.id);
    for (const { response } of [first, second])
      expect(await response).toMatchObject({ status: 201, body: { reply: null, coalesced: true } });
    expect(await dialogue()).toEqual([
      '1 user: hi',
      '2 user: I need',
      '3 user: an appointment',
      '4 assistant: re: an appointment',
    ]);
  });

  it('are passed to the responder in full, and are part of the history', async () => {
    await debounce(LONG_MS);
    const { response } = await begin('hi', { metadata: { button: 'START' } });
    await begin('I need');
    await debounce(1);
    await say('an appointment');
    const { body } = await response;
    expect(requests).toHaveLength(1);
    const [request] = requests;
    expect(request?.message).toMatchObject({ content: 'an appointment', externalId: 'an appointment' });
    expect(request?.burst).toEqual([
      {
        id: body.message.id,
        content: 'hi',
        attachments: [],
        metadata: { button: 'START' },
        externalId: 'hi',
      },
      expect.objectContaining({ content: 'I need', externalId: 'I need' }),
    ]);
    expect(await request?.history(10)).toEqual([
      { role: 'user', content: 'hi' },
      { role: 'user', content: 'I need' },
    ]);
  });

  it('that start a conversation are passed as its start; later ones name it', async () => {
    await debounce(LONG_MS);
    await begin('1');
    await debounce(1);
    const { conversation } = (await say('2')).body;
    await say('3');
    expect(requests.map(({ conversation: { id } }) => id)).toEqual([null, conversation.id]);
    expect(requests.at(-1)).not.toHaveProperty('burst');
  });

  it('are read as one text by the goal responder', async () => {
    const slots = [{ name: 'size', kind: 'choice', options: ['small', 'large'], prompt: 'Which size?' }];
    const template = { type: 'coffee', triggers: ['coffee'], slots, completion: 'One {size} coffee.' };
    const goals = { type: 'goals', config: { templates: [template], fallback: 'Coffee?' } };
    await debounce(LONG_MS, goals);
    await begin('a coffee');
    await begin('large');
    await debounce(1, goals);
    expect((await say('please')).body.reply?.content).toBe('One large coffee.');
    expect((await stored()).filter(({ role }) => role === 'assistant')).toHaveLength(1);
  });

  it('leave the result of a repeated request unchanged: coalesced, or the reply', async () => {
    await debounce(LONG_MS);
    const first = await begin('1');
    const repeatedWhileWaiting = say('1');
    await debounce(1);
    const last = await say('2');
    expect(await first.response).toMatchObject({ status: 201, body: { coalesced: true } });
    expect(await repeatedWhileWaiting).toMatchObject({ status: 200, body: { coalesced: true } });
    const again = await say('1');
    expect(again).toMatchObject({ status: 200, body: { reply: null, coalesced: true } });
    expect(await say('2')).toMatchObject({ status: 200, body: { reply: last.body.reply } });
    await debounce();
    expect(await say('1')).toEqual({ ...again, headers: expect.anything() as Headers });
    expect(requests).toHaveLength(1);
  });

  it('are answered when the last message is repeated after a failure of the responder', async () => {
    await debounce(LONG_MS);
    await begin('1');
    await debounce(1);
    app.responder.script = () => Promise.reject(new ResponderError('Out of order.'));
    expect(await say('2')).toMatchObject({ status: 502, body: { code: 'responder_failed' } });
    record(app);
    expect(await say('1')).toMatchObject({ status: 200, body: { reply: null, coalesced: true } });
    expect(await say('2')).toMatchObject({ status: 201, body: { reply: { content: 're: 2' } } });
    expect(requests.map(({ burst }) => burst?.map(({ content }) => content))).toEqual([['1']]);
  });

  it('are not continued by a message that the tenant appends', async () => {
    await withProcess(async (process) => {
      await debounce(LONG_MS);
      const { response } = await begin('1', { by: process });
      const messages = [{ role: 'user', content: 'said elsewhere' }];
      await tenant.request('POST', `/v1/conversations/${await conversationOf('1')}/messages`, { messages });
      endWaits(process);
      expect(await response).toMatchObject({ status: 201, body: { reply: { content: 're: 1' } } });
    });
  });

  it('across two processes are answered by the one that got the last message', async () => {
    await withProcess(async (process) => {
      await debounce(LONG_MS);
      const first = await begin('1', { by: process });
      await debounce(1);
      expect(await say('2')).toMatchObject({ status: 201, body: { reply: { content: 're: 2' } } });
      endWaits(process);
      expect(await first.response).toMatchObject({ status: 201, body: { reply: null, coalesced: true } });
      expect(await dialogue()).toEqual(['1 user: 1', '2 user: 2', '3 assistant: re: 2']);
      expect(requests.map(({ burst }) => burst?.map(({ content }) => content))).toEqual([['1']]);
    });
  });

  it('get one reply even if another process has already called the responder', async () => {
    await withProcess(async (process) => {
      await debounce(LONG_MS);
      let finish = (): void => undefined;
      const called = new Promise<void>((resolve) => {
        process.responder.script = async () => {
          resolve();
          await new Promise<void>((release) => (finish = release));
          return { reply: { content: 'too early' } };
        };
      });
      const first = await begin('1', { by: process });
      endWaits(process);
      await called;
      await debounce(1);
      expect(await say('2')).toMatchObject({ status: 201, body: { reply: { content: 're: 2' } } });
      finish();
      expect(await first.response).toMatchObject({ status: 201, body: { reply: null, coalesced: true } });
      expect(await dialogue()).toEqual(['1 user: 1', '2 user: 2', '3 assistant: re: 2']);
    });
  });

  it('are answered at once when the process shuts down', async () => {
    await withProcess(async (process) => {
      await debounce(LONG_MS);
      const { response } = await begin('1', { by: process });
      await process.app.close();
      expect(await response).toMatchObject({ status: 201, body: { reply: { content: 're: 1' } } });
      expect(await dialogue()).toEqual(['1 user: 1', '2 assistant: re: 1']);
    });
  });

  it('are answered if the client disconnects while it waits', async () => {
    await withProcess(async (process) => {
      await debounce(LONG_MS);
      const client = new AbortController();
      const response = fetch(`${process.url}/v1/messages`, {
        method: 'POST',
        headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json' },
        body: JSON.stringify({ participantId: 'ana', channel: 'web', content: '1' }),
        signal: client.signal,
      });
      await isStored('1');
      client.abort();
      await expect(response).rejects.toThrow('abort');
      endWaits(process);
      await isStored('re: 1');
    });
  });

  it('are neither answered nor stored again after the conversation was erased', async () => {
    await withProcess(async (process) => {
      await debounce(LONG_MS);
      const { response } = await begin('1', { by: process });
      const id = await conversationOf('1');
      expect((await tenant.request('DELETE', `/v1/conversations/${id}`)).status).toBe(204);
      endWaits(process);
      const { status, body } = await response;
      expect([status, body.code]).toEqual([404, 'conversation_not_found']);
      expect(JSON.stringify(body)).not.toContain('messageStored');
      expect(await stored()).toEqual([]);
      expect(requests).toEqual([]);
    });
  });

  it('are answered in their conversation after it was closed; the next message begins another', async () => {
    await withProcess(async (process) => {
      await debounce(LONG_MS);
      const first = await begin('1', { by: process });
      await tenant.request('PATCH', `/v1/conversations/${await conversationOf('1')}`, { isActive: false });
      await debounce(1);
      const second = await say('2');
      endWaits(process);
      expect((await first.response).body.reply?.content).toBe('re: 1');
      expect(second.body.conversation.id).not.toBe((await first.response).body.conversation.id);
      expect(await dialogue()).toEqual([
        '1 user: 1',
        '2 assistant: re: 1',
        '1 user: 2',
        '2 assistant: re: 2',
      ]);
    });
  });

  it.each([
    ['with', 'x'],
    ['without', undefined],
  ])(
    'are not answered if the last message, %s an externalId, is deleted while it waits',
    async (_with, externalId) => {
      await withProcess(async (process) => {
        await debounce(LONG_MS);
        const { response } = await begin('1', { by: process, externalId });
        const [message] = (await stored()).map(({ _id }) => _id.toHexString());
        const path = `/v1/conversations/${await conversationOf('1')}/messages/${String(message)}`;
        expect((await tenant.request('DELETE', path)).status).toBe(204);
        endWaits(process);
        const { status, body } = await response;
        expect(status).toBe(201);
        expect(body).toMatchObject({ reply: null, message: { content: '' } });
        expect(requests).toEqual([]);
        await debounce(1);
        expect(await say('2')).toMatchObject({ status: 201, body: { reply: { content: 're: 2' } } });
      });
    },
  );

  it('go on without an earlier message that is deleted', async () => {
    await debounce(LONG_MS);
    await begin('1');
    const second = await begin('2');
    const [message] = (await stored()).map(({ _id }) => _id.toHexString());
    const path = `/v1/conversations/${await conversationOf('1')}/messages/${String(message)}`;
    expect((await tenant.request('DELETE', path)).status).toBe(204);
    await debounce(1);
    await say('3');
    expect((await second.response).body.coalesced).toBe(true);
    expect(requests.map(({ burst }) => burst?.map(({ content }) => content))).toEqual([['2']]);
  });

  it('are not waited for beyond RESPONDER_MAX_CONCURRENT conversations of a tenant', async () => {
    await withProcess(
      async (process) => {
        await debounce(LONG_MS);
        const first = await begin('1', { by: process });
        const other = { participantId: 'ben', channel: 'web', content: 'hi' };
        const answered = await process.request('POST', '/v1/messages', other, {}, tenant.apiKey);
        expect(answered).toMatchObject({ status: 201, body: { reply: { content: 're: hi' } } });
        endWaits(process);
        expect((await first.response).body.reply?.content).toBe('re: 1');
      },
      { RESPONDER_MAX_CONCURRENT: '1' },
    );
  });

  it('are not known to tenants without the setting', async () => {
    await debounce(LONG_MS);
    const other = await app.createTenant();
    await begin('1');
    const settings = { type: 'scripted', config: {} };
    const chosen = await other.request('PUT', '/v1/responder', settings);
    expect(chosen.body).toMatchObject({ debounceMs: 0 });
    const message = { participantId: 'ana', channel: 'web', content: 'hi', externalId: '1' };
    const { body } = await other.request('POST', '/v1/messages', message);
    expect(Object.keys(body)).toEqual(['conversation', 'message', 'reply', 'session']);
    expect(body['reply']).toMatchObject({ content: 're: hi' });
    expect(requests.at(-1)).not.toHaveProperty('burst');
    const { tenantId } = other;
    const conversations = database.collection<ConversationRecord>('conversations');
    expect(await conversations.findOne({ tenantId })).not.toHaveProperty('burst');
    await debounce(1);
    await say('2');
  });

  it('are configured with 0 to 30,000 milliseconds, and switched off by a PUT without them', async () => {
    for (const debounceMs of [-1, 30_001, 1.5, '100'])
      expect(
        await tenant.request('PUT', '/v1/responder', { type: 'scripted', config: {}, debounceMs }),
      ).toMatchObject({ status: 400, body: { errors: [{ path: 'debounceMs' }] } });
    expect(await debounce(30_000)).toMatchObject({ status: 200, body: { debounceMs: 30_000 } });
    expect((await tenant.request('GET', '/v1/responder')).body).toMatchObject({ debounceMs: 30_000 });
    expect(await debounce()).toMatchObject({ status: 200, body: { debounceMs: 0 } });
    expect(await say('1')).toMatchObject({ status: 201, body: { reply: { content: 're: 1' } } });
  });
});
