import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';
import { defineQueue, QueueService } from '../../src/queue/index.js';
import { type Responder, ResponderModule, type ResponderResult } from '../../src/responder/index.js';
import { createTestApp, type TestApp, type TestTenant } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { processorOf } from '../support/processor-of.js';

type Json = Record<string, unknown>;

/** Keys that JavaScript, the database driver or the ODM might take for their own. */
const keys = [
  ...[
    'constructor',
    'prototype',
    'toJSON',
    'toBSON',
    'toObject',
    'toString',
    'valueOf',
    'hasOwnProperty',
    'then',
  ],
  ...[
    'isMongooseBuffer',
    'isMongooseArray',
    'isMongooseDocumentArray',
    '_doc',
    '_id',
    '__v',
    'buffer',
    'sub_type',
  ],
  ...[
    'id',
    'length',
    '_subtype',
    'session',
    'a.b',
    'a.$',
    '.',
    '',
    ' ',
    'a$b',
    '0',
    '__defineGetter__',
    '_proto',
  ],
  ...[
    'isModified',
    'parent',
    'kind',
    'size',
    'get',
    'set',
    'db',
    'errors',
    'schema',
    'activeGoals',
    'tenantId',
  ],
];
const deep = keys.map((key) => ({ in: { [key]: { [key]: [true, { [key]: 'Date' }] } } }));
/** Each key, as the only one of an object, at the top. */
const flat = keys.map((key): Json => ({ [key]: 1 }));

const values: Json = {
  numbers: [
    0,
    -1,
    0.1,
    1e300,
    5e-324,
    Number.MAX_SAFE_INTEGER,
    2 ** 31,
    -(2 ** 31) - 1,
    1e21,
    9007199254740994,
  ],
  texts: ['', '\0', '😀', 'e\u0301', '\u202e', '\uFEFF', '"\\/', '\u2028', '한국어', 'ไทย', 'עברית', '\x7f'],
  others: [null, true, false, [], {}, [[]], { a: null }],
};

const echoes = defineQueue({ name: 'echoes', payload: z.record(z.string(), z.unknown()), attempts: 1 });

/** Accepts any configuration. */
class AnyResponder implements Responder {
  readonly type = 'any';
  readonly configSchema = z.record(z.string(), z.unknown());
  respond(): Promise<ResponderResult> {
    return Promise.resolve({ reply: null });
  }
}

describe('JSON values', () => {
  let app: TestApp;
  let tenant: TestTenant;
  let conversation: string;
  let endpoint: Server;
  let reply: Json = {};

  beforeAll(async () => {
    app = await createTestApp(
      { TRANSCRIPT_BATCH_TIMEOUT_MS: '10' },
      {
        workers: true,
        queues: [echoes],
        processors: [processorOf(echoes, ({ payload }) => Promise.resolve(payload))],
        imports: [ResponderModule.forFeature([AnyResponder])],
      },
    );
    tenant = await app.createTenant();
    endpoint = createServer((_request, response) => {
      response.setHeader('content-type', 'application/json');
      response.end(typeof reply['raw'] === 'string' ? reply['raw'] : JSON.stringify(reply));
    });
    await new Promise<void>((resolve) => endpoint.listen(0, '127.0.0.1', resolve));
    const { port } = endpoint.address() as AddressInfo;
    const config = { url: `http://127.0.0.1:${port}/`, secret: 'a-long-random-secret' };
    await send('PUT', '/v1/responder', { type: 'http', config });
    const created = await tenant.request<{ id: string }>('POST', '/v1/conversations', {
      participantId: 'ana',
      channel: 'web',
    });
    conversation = created.body.id;
  });
  afterAll(async () => {
    await app.close();
    await new Promise((resolve) => endpoint.close(resolve));
  });

  const send = async (method: string, path: string, body?: Json): Promise<Json> => {
    const response = await tenant.request(method, path, body);
    if (response.status >= 300)
      throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(response.body)}`);
    return response.body;
  };
  const read = (path: string): Promise<Json> => send('GET', path);
  let participants = 0;
  const newParticipant = (): string => `p${participants++}`;

  /** Stores an object in one field, and returns what the response and a later read contain. */
  const fields: Record<string, (value: Json) => Promise<unknown[]>> = {
    'metadata of a new conversation': async (metadata) => {
      const created = await send('POST', '/v1/conversations', {
        participantId: 'a',
        channel: 'web',
        metadata,
      });
      return [created['metadata'], (await read(`/v1/conversations/${String(created['id'])}`))['metadata']];
    },
    'patched metadata of a conversation': async (metadata) => {
      const { id } = await send('POST', '/v1/conversations', { participantId: 'a', channel: 'web' });
      const patched = await send('PATCH', `/v1/conversations/${String(id)}`, { metadata });
      return [patched['metadata'], (await read(`/v1/conversations/${String(id)}`))['metadata']];
    },
    'metadata of a message': async (metadata) => {
      const path = `/v1/conversations/${conversation}/messages`;
      const stored = await send('POST', path, { messages: [{ role: 'user', content: 'x', metadata }] });
      const [message] = stored['data'] as { metadata: Json; seq: number }[];
      const page = await read(`${path}?afterSeq=${(message?.seq ?? 0) - 1}`);
      return [message?.metadata, (page['data'] as { metadata: Json }[])[0]?.metadata];
    },
    'metadata of a reply': async (metadata) => {
      reply = { reply: { content: 'x', metadata } };
      const participantId = newParticipant();
      const processed = await send('POST', '/v1/messages', { participantId, channel: 'web', content: 'x' });
      const { conversationId, metadata: returned } = processed['reply'] as {
        conversationId: string;
        metadata: Json;
      };
      const page = await read(`/v1/conversations/${conversationId}/messages`);
      return [returned, (page['data'] as { metadata: Json }[])[1]?.metadata];
    },
    'context and slots of a reply': async (value) => {
      reply = { reply: null, context: value, activeGoals: [{ id: 'g', type: 'a', slots: value }] };
      const participantId = newParticipant();
      await send('POST', '/v1/messages', { participantId, channel: 'web', content: 'x' });
      const session = await read(`/v1/sessions/${participantId}`);
      return [session['context'], (session['activeGoals'] as { slots: Json }[])[0]?.slots];
    },
    'context of a session': async (context) => {
      const path = `/v1/sessions/${newParticipant()}`;
      return [(await send('PATCH', path, { context }))['context'], (await read(path))['context']];
    },
    'slots of a goal': async (slots) => {
      const path = `/v1/sessions/${newParticipant()}`;
      await send('POST', `${path}/goals`, { type: 'a', slots });
      const session = await read(path);
      return [(session['activeGoals'] as { slots: Json }[])[0]?.slots];
    },
    'metadata of a transcript': async (metadata) => {
      const body = { participantId: 'a', channel: 'web', transcript: 'hello', metadata };
      const { id } = await send('POST', '/v1/transcripts', body);
      let state: Json = {};
      await eventually(async () => {
        state = await read(`/v1/transcripts/${String(id)}`);
        return state['status'] === 'stored';
      });
      return [state['metadata']];
    },
    'configuration of a responder': async (config) => {
      const other = await app.createTenant();
      const stored = await other.request('PUT', '/v1/responder', { type: 'any', config });
      if (stored.status !== 200) throw new Error(JSON.stringify(stored.body));
      return [stored.body['config'], (await other.request('GET', '/v1/responder')).body['config']];
    },
    'payload and result of a job': async (value) => {
      const queues = app.app.get(QueueService);
      const { id } = await queues.enqueue(echoes, tenant.tenantId, value);
      let job: Json = {};
      await eventually(async () => {
        job = await read(`/v1/jobs/echoes/${id}`);
        return job['state'] !== 'waiting' && job['state'] !== 'active';
      });
      if (job['state'] !== 'completed') throw new Error(JSON.stringify(job));
      return [job['result']];
    },
    'slots of a closed conversation': async (slots) => {
      const participantId = newParticipant();
      await send('POST', `/v1/sessions/${participantId}/goals`, { type: 'a', slots });
      reply = { reply: null };
      const processed = await send('POST', '/v1/messages', { participantId, channel: 'web', content: 'x' });
      const { id } = processed['conversation'] as { id: string };
      const { transcriptId } = await send('POST', `/v1/conversations/${id}/close`, {});
      let status: unknown;
      await eventually(async () => {
        status = (await tenant.request('GET', `/v1/transcripts/${String(transcriptId)}`)).body['status'];
        return status === 'stored' || status === 'failed';
      });
      if (status !== 'stored') throw new Error(`the transcript is ${String(status)}`);
      return [];
    },
  };

  it.each(Object.keys(fields))('are kept exactly: %s', async (name) => {
    const faults: string[] = [];
    for (const value of [{ deep }, Object.assign({ all: flat }, ...flat) as Json, values])
      try {
        const seen = (await fields[name]?.(value)) ?? [];
        expect(seen).toEqual(seen.map(() => value));
      } catch (error) {
        faults.push(String(error).slice(0, 2000));
      }
    expect(faults).toEqual([]);
  });
});
