import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ApiClient } from '../api-client.js';
import type { Dialogue } from '../dialogues.js';
import { Replay, type ReplayResult } from './replay.js';
import { renderReport, succeeded } from './report.js';

interface Stored {
  seq: number;
  role: string;
  content: string;
  externalId: string;
}

/**
 * An in-memory service with only the routes that the replay uses. `spoil` changes a response, so that tests
 * can check that the change is detected.
 */
class FakeService {
  readonly conversations = new Map<string, Stored[]>();
  readonly sessions = new Map<string, unknown[]>();
  spoil: (path: string, answer: unknown) => unknown = (_path, answer) => answer;
  status: (method: string, path: string) => number = () => 200;
  private server?: Server;

  async start(): Promise<string> {
    this.server = createServer((request, response) => {
      void this.answer(request).then(({ status, body }) => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      });
    });
    await new Promise<void>((resolve) => this.server?.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server?.address() as AddressInfo).port}`;
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.server?.close(() => {
        resolve();
      });
      this.server?.closeAllConnections();
    });
  }

  private async answer(request: IncomingMessage): Promise<{ status: number; body: unknown }> {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const method = request.method ?? 'GET';
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const status = this.status(method, url.pathname);
    if (status !== 200) return { status, body: { code: 'broken', detail: 'on purpose' } };
    const body = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
    return { status, body: this.spoil(url.pathname, this.route(method, url, body)) };
  }

  private route(method: string, url: URL, body: Record<string, unknown>): unknown {
    const [, , resource, id = ''] = url.pathname.split('/');
    if (resource === 'sessions') {
      if (method === 'PATCH') this.sessions.set(id, body['activeGoals'] as unknown[]);
      const goals = (this.sessions.get(id) ?? []) as { type: string; slots: unknown }[];
      return { activeGoals: goals.map((goal, index) => ({ ...goal, id: `g${index}`, status: 'active' })) };
    }
    if (id === '') {
      const made = `c${this.conversations.size}`;
      this.conversations.set(made, []);
      return { id: made };
    }
    const messages = this.conversations.get(id) ?? [];
    if (method === 'POST')
      for (const message of body['messages'] as Omit<Stored, 'seq'>[])
        messages.push({ ...message, seq: messages.length + 1 });
    const after = Number(url.searchParams.get('afterSeq') ?? 0);
    const limit = Number(url.searchParams.get('limit') ?? 50);
    const data = messages
      .filter(({ seq }) => method === 'POST' || seq > after)
      .slice(0, limit)
      .map((message) => ({ ...message, id: `${id}-${message.seq}` }));
    return { data, nextCursor: after + data.length < messages.length ? 'more' : null };
  }
}

const turns = (count: number): Dialogue['turns'] =>
  Array.from({ length: count }, (_, index) =>
    index % 2 === 0
      ? {
          role: 'user' as const,
          content: `question ${index}`,
          state: [{ service: 'Cafe_1', intent: 'Order', slots: { step: index } }],
        }
      : { role: 'assistant' as const, content: `answer ${index}` },
  );

const dialogues: Dialogue[] = [
  { id: 'long', line: 1, services: [], turns: turns(25) },
  { id: 'short', line: 3, services: [], turns: turns(2) },
];

describe('Replay', () => {
  const service = new FakeService();
  let url: string;

  beforeAll(async () => {
    url = await service.start();
  });
  afterAll(() => service.stop());
  beforeEach(() => {
    service.conversations.clear();
    service.sessions.clear();
    service.spoil = (_path, answer) => answer;
    service.status = () => 200;
  });

  const run = (concurrency = 2): Promise<ReplayResult> =>
    new Replay(new ApiClient(url, 'key'), { concurrency, run: 'r' }).run(dialogues);

  it('appends every turn in order, stores each state as a goal, and finds no difference when reading all pages back', async () => {
    const result = await run();
    expect(result).toMatchObject({
      dialogues: 2,
      turns: 27,
      messagesCompared: 27,
      goalsCompared: 2,
      mismatches: [],
    });
    expect(result.appendLatency.count).toBe(27);
    expect(succeeded(result)).toBe(true);
    expect([...service.conversations.values()].map((messages) => messages.length).toSorted()).toEqual([
      2, 25,
    ]);
    expect(service.sessions.get('r-1')).toEqual([{ type: 'Cafe_1/Order', slots: { step: 24 } }]);
  });

  const spoilMessages = (change: (data: Stored[]) => Stored[]) => (path: string, answer: unknown) => {
    const page = answer as { data: Stored[] };
    return path.endsWith('/messages') ? { ...page, data: change(page.data) } : answer;
  };

  it.each([
    [
      'a lost message',
      spoilMessages((data) => data.filter(({ seq }) => seq !== 25)),
      'turn 25 is not stored',
    ],
    [
      'changed text',
      spoilMessages((data) => data.map((row) => (row.seq === 13 ? { ...row, content: 'x' } : row))),
      'turn 13 reads "x" instead of "question 12"',
    ],
    [
      'a changed role',
      spoilMessages((data) => data.map((row) => (row.seq === 14 ? { ...row, role: 'user' } : row))),
      'turn 14 has role user instead of assistant',
    ],
    [
      'a lost goal',
      (path: string, answer: unknown) => (path.startsWith('/v1/sessions') ? { activeGoals: [] } : answer),
      'goal Cafe_1/Order exists 0 times',
    ],
  ])('detects %s', async (_what, spoil, message) => {
    service.spoil = spoil;
    const result = await run();
    expect(result.mismatches.filter((text) => text.startsWith('line 1 (long)'))).toEqual([
      expect.stringContaining(message),
    ]);
    expect(succeeded(result)).toBe(false);
  });

  it('counts a failed request by its code, reports the line, and continues with the other dialogues', async () => {
    service.status = (method, path) => (method === 'PATCH' && path.endsWith('/r-3') ? 409 : 200);
    const result = await run();
    expect([...result.errors]).toEqual([['broken', 1]]);
    expect(result.errorExamples[0]).toContain('line 3: PATCH /v1/sessions/r-3: 409 broken on purpose');
    expect(result.messagesCompared).toBe(25);
    expect(succeeded(result)).toBe(false);
    expect(renderReport(result, 2)).toContain('1 x broken');
  });

  it('reports that the service does not respond', async () => {
    const gone = new FakeService();
    const goneUrl = await gone.start();
    await gone.stop();
    const result = await new Replay(new ApiClient(goneUrl, 'key'), { concurrency: 1, run: 'r' }).run(
      dialogues,
    );
    expect([...result.errors]).toEqual([['no_answer', 2]]);
  });
});
