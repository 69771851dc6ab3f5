import { ConversationService } from '../../src/conversation/conversation.service.js';
import { MessageProcessor } from '../../src/conversation/index.js';
import { appendMessagesBody, inboundMessageBody, messagesQuery } from '../../src/conversation/message.dto.js';
import type { MessageRecord } from '../../src/conversation/message.schema.js';
import { MessageService } from '../../src/conversation/message.service.js';
import { allFeatures } from '../../src/tenant/index.js';
import { createTestApp, type TestApp } from '../support/app.js';

const tenantId = 'acme';
const oneTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

async function create({ app }: TestApp, participantId: string): Promise<string> {
  const { _id } = await app
    .get(ConversationService)
    .create(tenantId, { participantId, channel: 'web', metadata: {} });
  return _id.toHexString();
}

async function append({ app }: TestApp, conversationId: string, content: string): Promise<MessageRecord> {
  const { messages } = appendMessagesBody.parse({ messages: [{ role: 'user', content }] });
  const stored = await app.get(MessageService).append(tenantId, conversationId, messages);
  const [message] = stored.messages;
  if (!message) throw new Error('nothing was stored');
  return message;
}

const say = ({ app }: TestApp, participantId: string, content: string) =>
  app
    .get(MessageProcessor)
    .process(
      { tenantId, name: tenantId, plan: 'free', features: allFeatures },
      inboundMessageBody.parse({ participantId, channel: 'web', content }),
    );

/**
 * Polls the messages of the tenant like a client, each time from the newest date it has seen, until it has
 * seen all of `last`. Returns the ids it has seen.
 */
async function poll({ app }: TestApp, last: readonly string[]): Promise<Set<string>> {
  const seen = new Set<string>();
  const contents = new Set<string>();
  let since = new Date(0);
  while (!last.every((content) => contents.has(content))) {
    let newest = since;
    let cursor: string | undefined;
    do {
      const query = messagesQuery.parse({
        limit: '200',
        since: since.toISOString(),
        ...(cursor && { cursor }),
      });
      const page = await app.get(MessageService).list(tenantId, query);
      for (const { _id, timestamp, content } of page.data) {
        seen.add(_id.toHexString());
        contents.add(content);
        if (timestamp > newest) newest = timestamp;
      }
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    since = newest;
  }
  return seen;
}

/**
 * Runs 24 writers on each process, of which half append and half send inbound messages. Returns the ids of
 * the acknowledged messages.
 */
async function write(processes: readonly TestApp[]): Promise<string[]> {
  const acknowledged: string[] = [];
  await Promise.all(
    processes.flatMap((process, index) =>
      oneTo(24).map(async (writer) => {
        const participantId = `participant-${index}-${writer}`;
        const conversationId = await create(process, participantId);
        for (const n of oneTo(20)) {
          if (writer % 2 === 0) {
            const { _id } = await append(process, conversationId, `m${n}`);
            acknowledged.push(_id.toHexString());
            continue;
          }
          const { message, reply } = await say(process, participantId, `m${n}`);
          acknowledged.push(message._id.toHexString());
          if (reply) acknowledged.push(reply._id.toHexString());
        }
      }),
    ),
  );
  // A client that has seen the last message of a process must also have seen all earlier messages of that
  // process.
  for (const [index, process] of processes.entries())
    await append(process, await create(process, `last-${index}`), `last-${index}`);
  return acknowledged;
}

async function missed(
  processes: readonly [TestApp, ...TestApp[]],
): Promise<[acknowledged: number, missed: number]> {
  const last = processes.map((_, index) => `last-${index}`);
  const [acknowledged, seen] = await Promise.all([write(processes), poll(processes[0], last)]);
  return [acknowledged.length, acknowledged.filter((id) => !seen.has(id)).length];
}

describe('a client that polls with since while 24 writers are active', () => {
  let first: TestApp;

  beforeEach(async () => (first = await createTestApp()));
  afterEach(() => first.close());

  it('misses no message of one process', async () => {
    const [acknowledged, notSeen] = await missed([first]);
    expect(acknowledged).toBeGreaterThanOrEqual(480);
    expect(notSeen).toBe(0);
  });

  it('misses no message of two processes', async () => {
    const second = await createTestApp({ MONGODB_URI: first.database.uri });
    try {
      const [acknowledged, notSeen] = await missed([first, second]);
      expect(acknowledged).toBeGreaterThanOrEqual(960);
      expect(notSeen).toBe(0);
    } finally {
      await second.close();
    }
  });
});

describe('dates within a conversation', () => {
  let first: TestApp;
  let second: TestApp;

  beforeAll(async () => {
    first = await createTestApp();
    second = await createTestApp({ MONGODB_URI: first.database.uri });
    // Fakes only the clock, which does not advance until it is set.
    jest.useFakeTimers({
      now: Date.now(),
      doNotFake: [
        'hrtime',
        'nextTick',
        'performance',
        'queueMicrotask',
        'setImmediate',
        'clearImmediate',
        'setInterval',
        'clearInterval',
        'setTimeout',
        'clearTimeout',
      ],
    });
  });
  afterAll(async () => {
    jest.useRealTimers();
    await second.close();
    await first.close();
  });

  it('do not go backwards when the clock of a process does or when the clock of another process is behind', async () => {
    const conversationId = await create(first, 'ana');
    const isInOrder = (dates: readonly Date[]): boolean =>
      dates.every((date, index) => index === 0 || date >= (dates[index - 1] ?? date));
    const states: { lastMessageAt: Date; updatedAt: Date }[] = [];
    const noteState = async (): Promise<void> => {
      const { lastMessageAt, updatedAt } = await first.app
        .get(ConversationService)
        .get(tenantId, conversationId);
      if (lastMessageAt) states.push({ lastMessageAt, updatedAt });
    };
    const start = Date.now();
    // In hours from the start. The second process takes part after the clock was set back.
    for (const [process, hours] of [
      [first, 0],
      [first, -1],
      [second, -2],
      [first, -3],
      [second, 1],
      [first, -1],
      [second, 2],
    ] as const) {
      jest.setSystemTime(start + hours * 3_600_000);
      await append(process, conversationId, `at ${hours}`);
      await noteState();
      await say(process, 'ana', `said at ${hours}`);
      await noteState();
    }
    const rows = await first.database
      .collection<MessageRecord>('messages')
      .find({ tenantId })
      .sort({ seq: 1 })
      .toArray();
    expect(rows.every((row) => row.conversationId.toHexString() === conversationId)).toBe(true);
    expect(rows.length).toBeGreaterThanOrEqual(14);
    expect(isInOrder(rows.map(({ timestamp }) => timestamp))).toBe(true);
    expect(rows[0]?.timestamp.getTime()).toBeGreaterThanOrEqual(start);
    expect(rows.at(-1)?.timestamp.getTime()).toBeGreaterThanOrEqual(start + 2 * 3_600_000);
    expect(states).toHaveLength(14);
    expect(isInOrder(states.map(({ lastMessageAt }) => lastMessageAt))).toBe(true);
    expect(isInOrder(states.map(({ updatedAt }) => updatedAt))).toBe(true);
  });
});
