import { once } from 'node:events';
import { type ClientRequest, get, type IncomingMessage } from 'node:http';
import { Types } from 'mongoose';
import { ParticipantDataRegistry } from '../../src/archive/participant/participant-data.js';
import { ParticipantConversations } from '../../src/conversation/index.js';
import { MessageRepository } from '../../src/conversation/message.repository.js';
import { createTestApp, type TestApp, type TestTenant } from '../support/app.js';
import { eventually } from '../support/eventually.js';

const path = '/v1/participants/ana/export';

interface Line {
  kind: string;
  document: Record<string, unknown>;
}

let app: TestApp;
let tenant: TestTenant;

beforeAll(async () => {
  app = await createTestApp({ TRANSCRIPT_BATCH_TIMEOUT_MS: '20' });
});
beforeEach(async () => {
  tenant = await app.createTenant();
});
afterEach(() => jest.restoreAllMocks());
afterAll(() => app.close());

const must = async <Body = Record<string, unknown>>(
  answer: Promise<{ status: number; body: Body }>,
): Promise<Body> => {
  const { status, body } = await answer;
  if (status >= 300) throw new Error(`${status} ${JSON.stringify(body)}`);
  return body;
};

const linesOf = (text: string): Line[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);

async function exported(): Promise<Line[]> {
  const response = await tenant.request<unknown>('GET', path);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('application/x-ndjson');
  return linesOf(String(response.body));
}

/** A request that is not read further than the test reads it. */
async function open(): Promise<{ request: ClientRequest; response: IncomingMessage }> {
  const request = get(`${app.url}${path}`, { headers: { authorization: `Bearer ${tenant.apiKey}` } });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return { request, response };
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return text;
}

/** A conversation of the participant with this number of messages, stored directly. */
async function storeMessages(count: number): Promise<void> {
  const { id } = await must<{ id: string }>(
    tenant.request('POST', '/v1/conversations', { participantId: 'ana', channel: 'web' }),
  );
  const { tenantId } = tenant;
  const conversationId = new Types.ObjectId(id);
  const timestamp = new Date();
  const row = (seq: number) => ({
    tenantId,
    conversationId,
    seq,
    role: 'user',
    content: `message ${seq} ${'x'.repeat(200)}`,
    attachments: [],
    metadata: {},
    timestamp,
  });
  for (let seq = 1; seq <= count; seq += 5000) {
    const rows = Array.from({ length: Math.min(5000, count - seq + 1) }, (_, index) => row(seq + index));
    await app.database.collection('messages').insertMany(rows);
  }
  await app.database
    .collection('conversations')
    .updateOne({ _id: conversationId }, { $set: { lastSeq: count, messageCount: count } });
}

describe('the export of a participant', () => {
  it('has exactly what is stored, as the API shows it, and nothing of others', async () => {
    const inbound = { participantId: 'ana', channel: 'web', content: 'A table, please', externalId: 'e-1' };
    const { conversation } = await must<{ conversation: { id: string } }>(
      tenant.request('POST', '/v1/messages', inbound),
    );
    const of = `/v1/conversations/${conversation.id}`;
    await must(tenant.request('PATCH', of, { title: 'A table', metadata: { at: { window: true } } }));
    // WORKERS run no queues in this test, so the content of the closing stays.
    await must(tenant.request('POST', `${of}/close`, { summary: 'Booked.', metadata: { by: 'bot' } }));
    const sent = { participantId: 'ana', channel: 'web', transcript: 'By phone', externalId: 't-1' };
    const { id } = await must<{ id: string }>(tenant.request('POST', '/v1/transcripts', sent));
    await eventually(
      async () => (await tenant.request('GET', `/v1/transcripts/${id}`)).body['status'] === 'stored',
    );
    await must(tenant.request('POST', '/v1/messages', { ...inbound, participantId: 'bob' }));

    const lines = await exported();
    const documents = (kind: string): Line['document'][] =>
      lines.filter((line) => line.kind === kind).map(({ document }) => document);
    const read = (target: string) => must(tenant.request('GET', target));
    expect(documents('conversation')).toEqual([await read(of)]);
    expect(documents('message')).toEqual((await read(`${of}/messages`))['data']);
    expect(documents('session')).toEqual([await read('/v1/sessions/ana')]);
    expect(documents('closing')).toEqual([
      expect.objectContaining({
        conversationId: conversation.id,
        summary: 'Booked.',
        metadata: { by: 'bot' },
      }),
    ]);
    const [transcript] = documents('transcript');
    const { model, vector, ...shown } = transcript ?? {};
    expect(shown).toEqual(await read(`/v1/transcripts/${id}`));
    expect(model).toEqual(expect.any(String));
    // Length 1, as every stored vector.
    const bytes = Buffer.from(String(vector), 'base64');
    const numbers = Array.from({ length: bytes.length / 4 }, (_, at) => bytes.readFloatLE(at * 4));
    expect(numbers.reduce((sum, number) => sum + number * number, 0)).toBeCloseTo(1, 1);
    expect(lines[0]).toEqual({
      kind: 'export',
      document: { participantId: 'ana', exportedAt: expect.stringMatching(/Z$/) as unknown },
    });
    expect(lines.at(-1)).toEqual({
      kind: 'end',
      document: { counts: { transcript: 1, conversation: 1, closing: 1, message: 2, session: 1 } },
    });
    expect(JSON.stringify(lines)).not.toContain('bob');
  });

  it('has only its first and last line for a participant of whom nothing is stored', async () => {
    expect((await exported()).map(({ kind }) => kind)).toEqual(['export', 'end']);
  });

  it('has every line of 100,000 messages, in order, with bounded memory', async () => {
    await storeMessages(100_000);
    global.gc?.();
    const before = process.memoryUsage.rss();
    let highest = before;
    const timer = setInterval(() => (highest = Math.max(highest, process.memoryUsage.rss())), 20);
    const { response } = await open();
    let rest = '';
    let seq = 0;
    let last: Line | undefined;
    try {
      for await (const chunk of response) {
        const parts = `${rest}${String(chunk)}`.split('\n');
        rest = parts.pop() ?? '';
        for (const part of parts) {
          last = JSON.parse(part) as Line;
          if (last.kind === 'message' && last.document['seq'] !== ++seq)
            throw new Error(`seq ${String(last.document['seq'])} instead of ${seq}`);
        }
      }
    } finally {
      clearInterval(timer);
    }
    expect(seq).toBe(100_000);
    expect(last).toMatchObject({ kind: 'end', document: { counts: { message: 100_000 } } });
    process.stdout.write(
      `export of 100,000 messages: ${Math.round((highest - before) / 1024 / 1024)} MiB more resident memory\n`,
    );
    // The export has about 45 MB of JSON; the store runs in this process as well.
    expect(highest - before).toBeLessThan(300 * 1024 * 1024);
  });

  it('reads no further than the client does, and ends with its connection', async () => {
    await storeMessages(50_000);
    const read = jest.spyOn(app.app.get(MessageRepository, { strict: false }), 'first');
    const { request, response } = await open();
    await once(response, 'readable');
    let reads = -1;
    await eventually(() => {
      const isStill = reads === read.mock.calls.length;
      reads = read.mock.calls.length;
      return isStill;
    });
    // 500 reads would be all of it; what fits into the buffers of the connection is read ahead.
    expect(read.mock.calls.length).toBeLessThan(400);
    request.destroy();
    // Its place is free again.
    await eventually(async () => {
      const { response: next, request: other } = await open();
      other.destroy();
      return next.statusCode === 200;
    });
  });

  it('breaks off if it fails, so that it does not look complete', async () => {
    await storeMessages(10_000);
    jest
      .spyOn(app.app.get(ParticipantConversations), 'documents')

      .mockImplementation(async function* () {
        for (let count = 0; count < 1000; count++)
          yield { kind: 'message' as const, document: { content: 'x'.repeat(200) } };
        throw new Error('the database went away');
      });
    const { response } = await open();
    expect(response.statusCode).toBe(200);
    await expect(textOf(response)).rejects.toThrow('aborted');
  });

  it('limits the exports of a tenant at the same time, and does not hold up other requests', async () => {
    await storeMessages(50_000);
    const running = [await open(), await open()];
    try {
      const refused = await tenant.request('GET', path);
      expect(refused).toMatchObject({ status: 429, body: { code: 'too_many_exports' } });
      expect(refused.headers.get('retry-after')).toBe('10');
      const neighbor = await app.createTenant();
      expect((await neighbor.request('GET', path)).status).toBe(200);
      // They are not counted among the large responses of the tenant, of which four would fill the budget.
      const lists = await Promise.all(
        [1, 2, 3, 4].map(() => tenant.request('GET', '/v1/messages?limit=200')),
      );
      expect(lists.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    } finally {
      for (const { request } of running) request.destroy();
    }
    await eventually(async () => (await tenant.request('GET', path)).status === 200);
  });

  it('includes what other modules contribute', async () => {
    app.app.get(ParticipantDataRegistry).contribute({
      name: 'notes',
      erase: () => Promise.resolve({}),
      count: () => Promise.resolve({}),

      async *export(_tenantId, participantId) {
        yield { kind: 'note', document: { about: participantId, archived: true } };
      },
    });
    const lines = await exported();
    expect(lines[1]).toEqual({ kind: 'note', document: { about: 'ana', archived: true } });
    expect(lines[2]?.document).toEqual({ counts: { note: 1 } });
  });

  it('sends no body to HEAD', async () => {
    const response = await fetch(`${app.url}${path}`, {
      method: 'HEAD',
      headers: { authorization: `Bearer ${tenant.apiKey}` },
    });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/x-ndjson');
    expect(await response.text()).toBe('');
  });
});
