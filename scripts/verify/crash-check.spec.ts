import { ApiClient, type ApiResponse } from '../replay/api-client.js';
import { CrashCheck, type CrashFindings, retryUnacked } from './crash-check.js';
import type { Ledger } from './crash-load.js';

interface Row {
  id: string;
  seq: number;
  role: string;
  content: string;
  externalId?: string;
}

interface Stored {
  participantId: string;
  messageCount: number;
  messages: Row[];
}

/** Answers from what a store is made to hold after a crash. */
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
    const [, , room = '', id = '', part] = url.pathname.split('/');
    if (room === 'sessions') return this.sessions[id];
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

const row = (seq: number, externalId?: string, role = 'user'): Row => ({
  id: `m${seq}`,
  seq,
  role,
  content: `message ${externalId ?? ''}`,
  ...(externalId !== undefined && { externalId }),
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
      c2: { participantId: 'h', messageCount: 2, messages: [row(1, 'h1'), row(2, undefined, 'assistant')] },
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

  it('finds nothing wrong where all is as acknowledged, whatever became of what was not', async () => {
    expect(await check()).toEqual({ acked: 4, found: 4, problems: [] });
  });

  it.each<[string, string, () => void]>([
    [
      'lost',
      'an acknowledged message that is gone',
      () => (conversation('c1').messages[1] = row(2, 'other')),
    ],
    [
      'lost',
      'a reply that is gone',
      () => {
        conversation('c2').messages[1] = { ...row(2, undefined, 'assistant'), id: 'm9' };
      },
    ],
    ['lost', 'session state older than acknowledged', () => (store.sessions['s'] = valued(6, 6, 6))],
    ['lost', 'a session that is gone', () => delete store.sessions['s']],
    ['lost', 'session state that was never sent', () => (store.sessions['s'] = valued(9, 9, 9))],
    [
      'doubled',
      'an externalId that is stored twice',
      () => {
        conversation('c1').messages.push(row(4, 'a3'));
        conversation('c1').messageCount = 4;
      },
    ],
    [
      'doubled',
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
    ['torn', 'a counter that is not the count', () => (conversation('c1').messageCount = 4)],
    [
      'torn',
      'a batch of which a part is stored',
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
      'torn',
      'a session that missed a handled message',
      () => (store.sessions['h'] = { version: 2, activeGoals: [], context: {} }),
    ],
    ['torn', 'goals and context that do not fit', () => (store.sessions['s'] = valued(8, 8, 7))],
    ['torn', 'a goal that is missing', () => (store.sessions['s'] = valued(7, 7))],
  ])('tells as %s: %s', async (kind, _what, damage) => {
    damage();
    const { problems } = await check();
    expect(problems.map((problem) => problem.kind)).toContain(kind);
  });
});

describe('retryUnacked', () => {
  it('sends again only what was not acknowledged, under the same externalIds, and records the answer', async () => {
    const sent: unknown[] = [];
    class Recorder extends ApiClient {
      override request(method: string, path: string, body?: unknown): Promise<ApiResponse> {
        sent.push([method, path, body]);
        const message = { id: 'm1', seq: 1, role: 'user', content: '' };
        return Promise.resolve({ status: 201, headers: new Headers(), body: { data: [message] } });
      }
    }
    const pending = { conversationId: 'c1', externalIds: ['a2'] };
    const appends = [{ conversationId: 'c1', externalIds: ['a1'], acked: [{ id: 'm0', seq: 1 }] }, pending];
    const ledger: Ledger = { appends, handles: [], sessions: [], refused: new Map() };
    expect(await retryUnacked(new Recorder('http://unused', undefined), ledger)).toBe(1);
    expect(sent).toEqual([
      [
        'POST',
        '/v1/conversations/c1/messages',
        { messages: [{ role: 'user', content: 'message a2', externalId: 'a2' }] },
      ],
    ]);
    expect(pending).toMatchObject({ acked: [{ id: 'm1', seq: 1 }] });
  });
});
