import { ApiClient, type ApiResponse } from '../../../src/cli/index.js';
import { CrashCheck, type CrashFindings, RepeatedRequests } from './check.js';
import type { Ledger } from './load.js';

interface Row {
  id: string;
  seq: number;
  role: string;
  content: string;
  externalId?: string;
  replyTo?: string;
}

interface Stored {
  participantId: string;
  messageCount: number;
  messages: Row[];
}

/** A fake API that responds with the contents a test gives to the store after a crash. */
class StoreAfterCrash extends ApiClient {
  conversations: Record<string, Stored> = {};
  sessions: Record<string, { version: number; activeGoals: unknown[]; context: object }> = {};

  constructor() {
    super('http://unused', undefined);
  }

  override request(_method: string, path: string): Promise<ApiResponse> {
    const body = this.read(path);
    const status = body === undefined ? 404 : 200;
    return Promise.resolve({ status, headers: new Headers(), body: body ?? { code: 'not_found' } });
  }

  private read(path: string): unknown {
    const url = new URL(path, this.url);
    const [, , collection = '', id = '', part] = url.pathname.split('/');
    if (collection === 'sessions') return this.sessions[id];
    const conversation = this.conversations[id];
    if (part === 'messages') return { data: conversation?.messages, nextCursor: null };
    if (id !== '') return conversation && { id, messageCount: conversation.messageCount };
    const of = url.searchParams.get('participantId');
    const found = Object.entries(this.conversations).filter(([, { participantId }]) => participantId === of);
    return {
      data: found.map(([found, { messageCount }]) => ({ id: found, messageCount })),
      nextCursor: null,
    };
  }
}

const row = (seq: number, externalId: string): Row => ({
  id: `m${seq}`,
  seq,
  role: 'user',
  content: `message ${externalId}`,
  externalId,
});
const reply = (seq: number, replyTo: string): Row => ({
  id: `m${seq}`,
  seq,
  role: 'assistant',
  content: 'reply',
  replyTo,
});

const valued = (...values: number[]) => ({
  version: 1,
  context: { value: values[0] },
  activeGoals: values.slice(1).map((value, index) => ({ type: `g${index}`, slots: { value } })),
});

describe('CrashCheck', () => {
  let store: StoreAfterCrash;
  let ledger: Ledger;

  beforeEach(() => {
    store = new StoreAfterCrash();
    store.conversations = {
      c1: { participantId: 'c', messageCount: 3, messages: [row(1, 'a1'), row(2, 'a2'), row(3, 'a3')] },
      c2: { participantId: 'h', messageCount: 2, messages: [row(1, 'h1'), reply(2, 'm1')] },
    };
    store.sessions = { h: { version: 1, activeGoals: [], context: {} }, s: valued(7, 7, 7) };
    ledger = {
      appends: [
        {
          conversationId: 'c1',
          externalIds: ['a1', 'a2'],
          acked: [
            { id: 'm1', seq: 1 },
            { id: 'm2', seq: 2 },
          ],
        },
        { conversationId: 'c1', externalIds: ['a3'] },
        { conversationId: 'c1', externalIds: ['a4'] },
      ],
      handles: [
        {
          participantId: 'h',
          externalId: 'h1',
          acked: { conversationId: 'c2', message: { id: 'm1', seq: 1 }, reply: { id: 'm2', seq: 2 } },
        },
      ],
      sessions: [{ participantId: 's', lastSent: 8, lastAcked: 7 }],
      refused: new Map(),
    };
  });

  const check = (): Promise<CrashFindings> => new CrashCheck(store, ledger).run();
  const conversation = (id: string): Stored => {
    const found = store.conversations[id];
    if (!found) throw new Error(id);
    return found;
  };

  it('reports no problem when everything acknowledged is stored, whether or not the rest is', async () => {
    expect(await check()).toEqual({ acked: 4, found: 4, unanswered: 1, problems: [] });
  });

  it.each<[string, string, () => void]>([
    [
      'lost',
      'an acknowledged message that is not stored',
      () => (conversation('c1').messages[1] = row(2, 'other')),
    ],
    [
      'lost',
      'a reply that is not stored',
      () => {
        conversation('c2').messages[1] = { ...reply(2, 'm1'), id: 'm9' };
      },
    ],
    ['lost', 'session state older than the acknowledged one', () => (store.sessions['s'] = valued(6, 6, 6))],
    ['lost', 'a session that is not stored', () => delete store.sessions['s']],
    ['lost', 'session state that was never sent', () => (store.sessions['s'] = valued(9, 9, 9))],
    [
      'duplicated',
      'an externalId that is stored twice',
      () => {
        conversation('c1').messages.push(row(4, 'a3'));
        conversation('c1').messageCount = 4;
      },
    ],
    [
      'duplicated',
      'a seq that is stored twice',
      () => {
        conversation('c1').messages[2] = { ...row(2, 'a3'), id: 'm3' };
      },
    ],
    [
      'torn',
      'a gap of seq',
      () => {
        conversation('c1').messages[2] = row(4, 'a3');
      },
    ],
    [
      'torn',
      'a counter that differs from the number of messages',
      () => (conversation('c1').messageCount = 4),
    ],
    [
      'torn',
      'a batch that is stored in part',
      () => {
        delete ledger.appends[0]?.acked;
        conversation('c1').messages[1] = row(2, 'other');
      },
    ],
    [
      'torn',
      'a message without its reply',
      () => {
        conversation('c2').messages[1] = row(2, 'h2');
        delete ledger.handles[0]?.acked;
      },
    ],
    [
      'duplicated',
      'a message with two replies',
      () => {
        conversation('c2').messages.push(reply(3, 'm1'));
        conversation('c2').messageCount = 3;
      },
    ],
    [
      'torn',
      'a reply to nothing',
      () => {
        conversation('c2').messages.push(reply(3, 'gone'));
        conversation('c2').messageCount = 3;
      },
    ],
    [
      'torn',
      'a session that lacks the change of a processed message',
      () => (store.sessions['h'] = { version: 2, activeGoals: [], context: {} }),
    ],
    ['torn', 'goals and context that contradict each other', () => (store.sessions['s'] = valued(8, 8, 7))],
    ['torn', 'a goal that is missing', () => (store.sessions['s'] = valued(7, 7))],
  ])('reports as %s: %s', async (kind, _what, damage) => {
    damage();
    const { problems } = await check();
    expect(problems.map((problem) => problem.kind)).toContain(kind);
  });
});

describe('RepeatedRequests', () => {
  const sent: unknown[] = [];
  class Recorder extends ApiClient {
    override request(method: string, path: string, body?: unknown): Promise<ApiResponse> {
      sent.push([method, path, body]);
      const message = { id: 'm1', seq: 1, role: 'user', content: '' };
      return Promise.resolve({ status: 201, headers: new Headers(), body: { data: [message] } });
    }
  }
  const repeat = (appends: Ledger['appends']): Promise<RepeatedRequests> =>
    new RepeatedRequests(new Recorder('http://unused', undefined), {
      appends,
      handles: [],
      sessions: [],
      refused: new Map(),
    }).send();
  beforeEach(() => {
    sent.length = 0;
  });

  it('repeats unacknowledged requests with the same externalIds and records the response', async () => {
    const pending = { conversationId: 'c1', externalIds: ['a2'] };
    expect(await repeat([pending])).toMatchObject({ unanswered: 1, problems: [] });
    expect(sent).toEqual([
      [
        'POST',
        '/v1/conversations/c1/messages',
        { messages: [{ role: 'user', content: 'message a2', externalId: 'a2' }] },
      ],
    ]);
    expect(pending).toMatchObject({ acked: [{ id: 'm1', seq: 1 }] });
  });

  it.each([
    ['the same', { id: 'm1', seq: 1 }, 0],
    ['another message', { id: 'm0', seq: 1 }, 1],
    ['another seq', { id: 'm1', seq: 2 }, 1],
  ])('compares a second acknowledgement with the first: %s', async (_what, acked, problems) => {
    const result = await repeat([{ conversationId: 'c1', externalIds: ['a1'], acked: [acked] }]);
    expect(result.unanswered).toBe(0);
    expect(result.problems).toHaveLength(problems);
  });
});
