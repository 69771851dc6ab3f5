import { setTimeout as delay } from 'node:timers/promises';
import { createTestApp, type TestApp, type TestTenant } from '../support/app.js';

const CLIENTS = 50;
const TIMES = 20;
const ALL = CLIENTS * TIMES;
/** Fewer: all but one of the clients that increment at the same time have to try again. */
const INCREMENTS = 10;

interface StoredMessage {
  seq: number;
  content: string;
}

const oneToAll = Array.from({ length: ALL }, (_, index) => index + 1);
const ascending = (left: number, right: number): number => left - right;

/** Runs clients concurrently, each sending one request at a time. */
const clients = (work: (client: number) => Promise<void>): Promise<void[]> =>
  Promise.all(Array.from({ length: CLIENTS }, (_, client) => work(client)));

/** With other work on the machine, most attempts of many clients conflict. */
const SLOW_MS = 1_500_000;

describe(`${CLIENTS} concurrent clients`, () => {
  let app: TestApp;
  let tenant: TestTenant;

  beforeAll(async () => {
    app = await createTestApp();
    tenant = await app.createTenant();
  });
  afterAll(() => app.close());

  async function readAll(conversationId: string): Promise<StoredMessage[]> {
    const messages: StoredMessage[] = [];
    for (;;) {
      const { body } = await tenant.request<{ data: StoredMessage[]; nextCursor: string | null }>(
        'GET',
        `/v1/conversations/${conversationId}/messages?limit=200&afterSeq=${messages.at(-1)?.seq ?? 0}`,
      );
      messages.push(...body.data);
      if (body.nextCursor === null) return messages;
    }
  }

  it(`appending ${TIMES} messages each to one conversation get the numbers 1 to ${ALL}, each exactly once`, async () => {
    const { body: conversation } = await tenant.request<{ id: string }>('POST', '/v1/conversations', {
      participantId: 'crowd',
      channel: 'web',
    });
    const answered = new Map<string, number>();
    await clients(async (client) => {
      for (let time = 0; time < TIMES; time++) {
        const content = `client ${client}, message ${time}`;
        const { status, body } = await tenant.request<{ data: StoredMessage[] }>(
          'POST',
          `/v1/conversations/${conversation.id}/messages`,
          { messages: [{ role: 'user', content }] },
        );
        if (status !== 201) throw new Error(`${status} ${JSON.stringify(body)}`);
        answered.set(content, body.data[0]?.seq ?? 0);
      }
    });

    expect([...answered.values()].toSorted(ascending)).toEqual(oneToAll);
    const stored = await readAll(conversation.id);
    expect(stored.map(({ seq }) => seq)).toEqual(oneToAll);
    expect(new Map(stored.map(({ content, seq }) => [content, seq]))).toEqual(answered);
    const { body } = await tenant.request('GET', `/v1/conversations/${conversation.id}`);
    expect(body).toMatchObject({ messageCount: ALL });
    expect(await app.database.collection('messages').countDocuments({ tenantId: tenant.tenantId })).toBe(ALL);
  });

  it(
    `incrementing a number in one session ${INCREMENTS} times each, with retries on 412, reach ${CLIENTS * INCREMENTS}`,
    async () => {
      const path = '/v1/sessions/counter';
      await tenant.request('PATCH', path, { context: { count: 0 } });
      let conflicts = 0;

      const addOne = async (): Promise<void> => {
        for (let attempt = 1; ; attempt++) {
          const begun = performance.now();
          const { body: session } = await tenant.request<{ version: number; context: { count: number } }>(
            'GET',
            path,
          );
          const { status, body } = await tenant.request(
            'PATCH',
            path,
            { context: { count: session.context.count + 1 } },
            { 'if-match': `"${session.version}"` },
          );
          if (status === 200) return;
          if (status !== 412) throw new Error(`${status} ${JSON.stringify(body)}`);
          conflicts++;
          // Backs off in proportion to the measured duration of an attempt, so that contention decreases on
          // slow and fast machines alike.
          const attemptMs = performance.now() - begun;
          await delay(Math.random() * Math.min(2000, attemptMs * 2 ** attempt));
        }
      };
      await clients(async () => {
        for (let time = 0; time < INCREMENTS; time++) await addOne();
      });

      const { body } = await tenant.request('GET', path);
      expect(body).toMatchObject({
        context: { count: CLIENTS * INCREMENTS },
        version: CLIENTS * INCREMENTS + 1,
      });
      // Without any conflict the clients never ran concurrently, and the test would prove nothing.
      expect(conflicts).toBeGreaterThan(0);
    },
    SLOW_MS,
  );

  it('appending each of 100 messages five times, like a webhook that redelivers, store each once and get 201 or 200', async () => {
    const { body: conversation } = await tenant.request<{ id: string }>('POST', '/v1/conversations', {
      participantId: 'repeated',
      channel: 'web',
    });
    const copies = Array.from({ length: 500 }, (_, index) => `delivery-${Math.floor(index / 5)}`).values();
    const answered = new Map<string, { statuses: number[]; seqs: Set<number> }>();
    await clients(async () => {
      for (const externalId of copies) {
        const { status, body } = await tenant.request<{ data: StoredMessage[] }>(
          'POST',
          `/v1/conversations/${conversation.id}/messages`,
          { messages: [{ role: 'user', content: externalId, externalId }] },
        );
        const of = answered.get(externalId) ?? { statuses: [], seqs: new Set() };
        of.statuses.push(status);
        of.seqs.add(body.data[0]?.seq ?? 0);
        answered.set(externalId, of);
      }
    });

    for (const { statuses, seqs } of answered.values()) {
      expect(statuses.toSorted(ascending)).toEqual([200, 200, 200, 200, 201]);
      expect(seqs.size).toBe(1);
    }
    const messages = await readAll(conversation.id);
    expect(messages.map(({ seq }) => seq)).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
    expect(new Set(messages.map(({ content }) => content)).size).toBe(100);
  });
});
