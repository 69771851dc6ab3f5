import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { z } from 'zod';
import { loadSettings } from '../../src/config/index.js';
import { defineQueue, QueueService } from '../../src/queue/index.js';
import { goalResponderConfig } from '../../src/responder/goal/goal-template.js';
import { HttpResponder } from '../../src/responder/http/http.responder.js';
import {
  type Responder,
  ResponderModule,
  type ResponderRequest,
  type ResponderResult,
} from '../../src/responder/index.js';
import { responderResult } from '../../src/responder/responder-result.js';
import { createTestApp, type TestApp, type TestTenant } from '../support/app.js';
import { awkwardText, hasInexactNumber, plainJson } from '../support/awkward-values.js';
import { eventually } from '../support/eventually.js';
import {
  type ApiDocument,
  bodySchemaOf,
  type Field,
  fieldsOf,
  type JsonSchema,
  type Operation,
} from '../support/json-schema.js';
import { differences, hasRepeatedKey, meaningOf } from '../support/kept-values.js';
import { asJson, notJson } from '../support/not-json.js';
import { processorOf } from '../support/processor-of.js';
import { RawClient } from '../support/raw-request.js';
import {
  bodyWith,
  expectRefusal,
  hasAt,
  jsonSchemaOf,
  parameters,
  parsed,
  runsOf,
  seed,
  setAt,
  shown,
  timeoutMs,
  withExamples,
} from '../support/value-checks.js';
import { parameterValues, valuesOf } from '../support/value-generators.js';
import {
  type Prepared,
  responderAnswer,
  responderSettings,
  type ValueRoute,
  valueRoutes,
} from '../support/value-routes.js';

type Json = Record<string, unknown>;

interface Route {
  /** As in the table of the routes. */
  name: string;
  method: string;
  path: string;
  operation: Operation;
}

/** What the responders return, by participant: JSON text over HTTP, and any value within the process. */
const answers = new Map<string, unknown>();

const echoes = defineQueue({ name: 'echoes', payload: z.record(z.string(), z.unknown()), attempts: 1 });

const squeezed = (text: string): string => text.replace(/[\p{Cc}\s]+/gu, '');

/** Accepts any configuration. */
class AnyResponder implements Responder {
  readonly type = 'any';
  readonly configSchema = z.record(z.string(), z.unknown());
  respond({ conversation: { participantId } }: ResponderRequest): Promise<ResponderResult> {
    return Promise.resolve((answers.get(participantId) ?? { reply: null }) as ResponderResult);
  }
}

jest.setTimeout(timeoutMs);

describe('every value of a request', () => {
  let app: TestApp;
  let tenant: TestTenant;
  let client: RawClient;
  let routes: Record<string, ValueRoute>;
  let document: ApiDocument;

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
    client = new RawClient(app.url);
    routes = valueRoutes(app, tenant);
    document = (await app.request<ApiDocument>('GET', '/docs/openapi.json')).body;
  });
  afterAll(async () => {
    client.close();
    await app.close();
  });

  function* operations(): Generator<Route> {
    for (const [path, item] of Object.entries(document.paths))
      for (const [method, operation] of Object.entries(item))
        yield { name: `${method} ${path}`, method: method.toUpperCase(), path, operation };
  }

  /** @throws Error if the value was neither refused nor kept */
  async function check(
    route: ValueRoute,
    method: string,
    schema: JsonSchema,
    body: (prepared: Prepared) => string,
  ) {
    const prepared = await route.prepare();
    const { target, before, key = tenant.apiKey } = prepared;
    const text = body(prepared);
    const response = await client.send({ method, target, key, body: text });
    if (response.status >= 300) {
      expectRefusal(response);
      return response;
    }
    if (hasInexactNumber(text)) throw new Error('a number was accepted that cannot be kept');
    if (hasRepeatedKey(text)) throw new Error('a key was accepted twice');
    const sent = meaningOf(text) as Json;
    if (!route.read) return response;
    const kept = await route.read(response.body, prepared, sent);
    const faults = [...differences(schema, sent, kept, before)];
    if (faults.length > 0) throw new Error(faults.join('\n'));
    return response;
  }

  const checkField = (
    name: string,
    route: ValueRoute,
    method: string,
    schema: JsonSchema,
    field: Field,
  ): Promise<undefined> =>
    fc
      .assert(
        fc.asyncProperty(valuesOf(field), async (value) => {
          await check(route, method, schema, ({ body }) => bodyWith(body, field.path, value));
        }),
        withExamples(`${name} ${field.path.join('.')}`, field),
      )
      .then(() => undefined);

  /** Checks the example of a route, and each of its fields in turn. */
  async function* faultsOf({ name, method, operation }: Route): AsyncGenerator<string> {
    const schema = bodySchemaOf(operation);
    const route = routes[name];
    if (!schema) return;
    if (!route) {
      yield `${name} is missing in test/support/value-routes.ts`;
      return;
    }
    const plain = await check(route, method, schema, ({ body }) => JSON.stringify(body)).catch(String);
    if (typeof plain === 'string' || plain.status >= 300) yield `${name} with its example: ${shown(plain)}`;
    for (const field of fieldsOf(schema)) {
      const fault = await checkField(name, route, method, schema, field).catch(String);
      if (fault !== undefined) yield `${name} ${field.path.join('.')}: ${fault}`;
    }
  }

  it('is kept exactly or refused: in every field of every body', async () => {
    const faults: string[] = [];
    // Together, because most of the time of a request is the wait for a commit.
    await Promise.all(
      [...operations()].map(async (one) => {
        for await (const fault of faultsOf(one)) faults.push(fault);
      }),
    );
    expect({ seed, faults }).toEqual({ seed, faults: [] });
  });

  /** Ids of what exists, by the route and the name of the parameter, for requests in which another one is tested. */
  async function existing(): Promise<(path: string, name: string) => string> {
    const exchange = { participantId: 'ana', channel: 'web', content: 'a' };
    const { body } = await tenant.request<Record<string, Json>>('POST', '/v1/messages', exchange);
    await tenant.request('PATCH', '/v1/sessions/ana', { activeGoals: [{ id: 'g', type: 'a' }] });
    const { body: transcript } = await tenant.request('POST', '/v1/transcripts', {
      participantId: 'ana',
      channel: 'web',
      transcript: 'a',
    });
    const job = await app.app.get(QueueService).enqueue(echoes, tenant.tenantId, {});
    const ids: Readonly<Record<string, unknown>> = {
      '/v1/conversations id': body['conversation']?.['id'],
      '/v1/conversations messageId': body['message']?.['id'],
      '/v1/messages id': body['message']?.['id'],
      '/v1/participants participantId': 'ana',
      '/v1/sessions participantId': 'ana',
      '/v1/sessions goalId': 'g',
      '/v1/transcripts id': transcript['id'],
      '/v1/jobs queue': 'echoes',
      '/v1/jobs id': job.id,
      '/v1/queues queue': 'echoes',
      '/v1/queues id': job.id,
      '/v1/archives id': job.id,
      '/v1/tenants id': tenant.tenantId,
      '/v1/tenants keyId': 'x',
      '/v1/tenants conversationId': body['conversation']?.['id'],
    };
    return (path, name) => {
      const id = ids[`${path.split('/', 3).join('/')} ${name}`];
      if (typeof id !== 'string') throw new Error(`There is no example of {${name}} in ${path}.`);
      return id;
    };
  }

  /** @throws Error if a list has a row that has another value than the one asked for */
  function expectFiltered(body: Json, name: string, value: string): void {
    const rows = Array.isArray(body['data']) ? (body['data'] as Json[]) : [];
    const other = rows.find((row) => name in row && String(row[name]) !== decodeURIComponent(value));
    if (other) throw new Error(`${name} was not used: ${shown(other)}`);
  }

  it('is used or refused: in every path, query and header', async () => {
    const faults: string[] = [];
    const idOf = await existing();
    for (const { name, method, path, operation } of operations()) {
      const all = operation.parameters ?? [];
      const body = bodySchemaOf(operation) && JSON.stringify((await routes[name]?.prepare())?.body);
      for (const parameter of all) {
        const property = fc.asyncProperty(parameterValues(parameter), async (value) => {
          const inPath = (part: string): string =>
            parameter.in === 'path' && part === parameter.name ? value : idOf(path, part);
          const query = parameter.in === 'query' ? `?${parameter.name}=${value}` : '';
          const response = await client.send({
            method,
            target: path.replace(/\{(\w+)\}/g, (_whole, part: string) => inPath(part)) + query,
            key: /^\/v1\/(tenants|queues|archives)/.test(path) ? app.adminKey : tenant.apiKey,
            body,
            headers: parameter.in === 'header' ? { [parameter.name]: value } : {},
          });
          if (response.status >= 300 && response.status !== 304) expectRefusal(response);
          else if (parameter.in === 'query') expectFiltered(response.body, parameter.name, value);
        });
        await fc.assert(property, parameters(name + parameter.name)).catch((error: unknown) => {
          faults.push(`${name} ${parameter.in} ${parameter.name}: ${String(error)}`);
        });
      }
    }
    expect({ seed, faults }).toEqual({ seed, faults: [] });
  });

  it('is kept exactly or refused: in the settings of the responders', async () => {
    const faults: string[] = [];
    const schemas: Record<string, JsonSchema> = {
      goals: jsonSchemaOf(goalResponderConfig),
      http: jsonSchemaOf(new HttpResponder(loadSettings({}).processing).configSchema),
    };
    const missing = new Set<string>();
    for (const [type, schema] of Object.entries(schemas))
      for (const { path } of fieldsOf(schema)) missing.add([type, ...path].join('.'));
    const key = (await app.createTenant()).apiKey;
    for (const [type, config] of responderSettings) {
      const settings = schemas[type] ?? {};
      const route: ValueRoute = {
        prepare: () => Promise.resolve({ target: '/v1/responder', body: { type, config }, key }),
        read: async (_response, _prepared, sent) => {
          const { secret } = sent['config'] as Json;
          const { body } = await app.request<{ config: Json }>('GET', '/v1/responder', undefined, {}, key);
          // A secret is not returned.
          return { type, config: { ...body.config, secret } };
        },
      };
      const schema = { properties: { type: {}, config: settings } };
      for (const { path, schema: member } of fieldsOf(settings)) {
        if (!hasAt(config, path)) continue;
        missing.delete([type, ...path].join('.'));
        const fault = await checkField(type, route, 'PUT', schema, {
          path: ['config', ...path],
          schema: member,
        }).catch(String);
        if (fault !== undefined) faults.push(`${type} ${path.join('.')}: ${fault}`);
      }
    }
    expect([...missing]).toEqual([]);
    expect({ seed, faults }).toEqual({ seed, faults: [] });
  });

  it('is kept exactly: in the payload and the result of a job', async () => {
    const property = fc.asyncProperty(plainJson, async (text) => {
      const value = meaningOf(text) as Json;
      const { id } = await app.app.get(QueueService).enqueue(echoes, tenant.tenantId, value);
      let job: Json = {};
      await eventually(async () => {
        job = (await tenant.request('GET', `/v1/jobs/echoes/${id}`)).body;
        return job['state'] === 'completed' || job['state'] === 'failed';
      });
      if (!isDeepStrictEqual(job['result'], value)) throw new Error(`became ${shown(job)}`);
    });
    await fc.assert(property, parameters('jobs', 10));
  });

  it('can be said to the goal responder, and is kept when the conversation is closed', async () => {
    const asked = await app.createTenant();
    const kinds = ['text', 'number', 'date', 'time', 'email', 'phone', 'code'];
    const slots = kinds.map((kind) => ({ name: kind, kind, prompt: `${kind}?` }));
    const templates = [
      { type: 'a', triggers: ['start'], slots, completion: kinds.map((kind) => `{${kind}}`).join() },
    ];
    await asked.request('PUT', '/v1/responder', { type: 'goals', config: { templates, fallback: 'no' } });
    let participants = 0;
    const said = fc.array(awkwardText(4096), { minLength: 1, maxLength: 8 });
    const property = fc.asyncProperty(said, awkwardText(256), async (contents, title) => {
      const participantId = `p${participants++}`;
      const say = async (content: string): Promise<string | undefined> => {
        const body = JSON.stringify({ participantId, channel: 'web', content });
        const response = await client.send({
          method: 'POST',
          target: '/v1/messages',
          key: asked.apiKey,
          body,
        });
        if (response.status >= 300) expectRefusal(response);
        const { conversation, message } = response.body as Record<string, Json | undefined>;
        if (message && message['content'] !== content) throw new Error(`became ${shown(message['content'])}`);
        return conversation && String(conversation['id']);
      };
      const id = await say('start');
      const accepted: string[] = [];
      for (const content of contents) if ((await say(content)) !== undefined) accepted.push(content);
      const path = `/v1/conversations/${String(id)}`;
      const { status } = await client.send({
        method: 'PATCH',
        target: path,
        key: asked.apiKey,
        body: JSON.stringify({ title }),
      });
      const { body } = await asked.request('POST', `${path}/close`, {});
      await eventually(async () => {
        const { body: transcript } = await asked.request(
          'GET',
          `/v1/transcripts/${String(body['transcriptId'])}`,
        );
        if (transcript['status'] === 'failed') throw new Error(shown(transcript));
        const { transcript: text, metadata } = transcript as { transcript?: string; metadata?: Json };
        if (transcript['status'] !== 'stored') return false;
        // Each message is one line.
        const lines = new Set((text ?? '').split('\n').map(squeezed));
        const missing = accepted.find((content) => !lines.has(squeezed(`> ${content}`)));
        if (missing !== undefined) throw new Error(`${shown(missing)} is missing in ${shown(text)}`);
        if (status === 200 && metadata?.['title'] !== title) throw new Error(`${shown(title)} is missing`);
        return true;
      });
    });
    await fc.assert(property, parameters('dialogues', 4));
  });

  describe("in a responder's result", () => {
    const schema = jsonSchemaOf(responderResult);
    let endpoint: Server;
    let overHttp: TestTenant;
    let inProcess: TestTenant;
    let participants = 0;

    beforeAll(async () => {
      endpoint = createServer((request, response) => {
        const parts: Buffer[] = [];
        request.on('data', (part: Buffer) => parts.push(part));
        request.on('end', () => {
          const { conversation } = JSON.parse(Buffer.concat(parts).toString()) as {
            conversation: { participantId: string };
          };
          response.setHeader('content-type', 'application/json');
          response.end(answers.get(conversation.participantId));
        });
      });
      await new Promise<void>((resolve) => endpoint.listen(0, '127.0.0.1', resolve));
      const url = `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}/`;
      [overHttp, inProcess] = [await app.createTenant(), await app.createTenant()];
      await overHttp.request('PUT', '/v1/responder', {
        type: 'http',
        config: { url, secret: 'a-secret-of-some-length' },
      });
      await inProcess.request('PUT', '/v1/responder', { type: 'any', config: {} });
    });
    afterAll(() => new Promise((resolve) => endpoint.close(resolve)));

    /** @throws Error unless the answer is kept, or is refused and the message of the user is kept */
    async function checkAnswer(asked: TestTenant, answer: unknown, sent: unknown) {
      const { apiKey: key } = asked;
      const participantId = `p${participants++}`;
      answers.set(participantId, answer);
      const text = JSON.stringify({ participantId, channel: 'web', content: '안녕하세요 😀' });
      const { status, body } = await client.send({ method: 'POST', target: '/v1/messages', key, body: text });
      if (
        status !== 201 &&
        !(status === 502 && body['code'] === 'responder_failed' && body['messageStored'] === true)
      )
        throw new Error(`answered ${status} ${shown(body)}`);
      const conversationId = String(body['conversationId'] ?? (body['conversation'] as Json)['id']);
      const listed = await asked.request<{ data: Json[] }>(
        'GET',
        `/v1/conversations/${conversationId}/messages`,
      );
      const [message, reply] = listed.body.data;
      if (message?.['content'] !== '안녕하세요 😀') throw new Error('the message was lost');
      if (status === 502) {
        if (reply) throw new Error('a refused reply was stored');
        return status;
      }
      const { body: session } = await asked.request<Json>('GET', `/v1/sessions/${participantId}`);
      const faults = [...differences(schema, sent, { ...session, reply })];
      if (faults.length > 0) throw new Error(faults.join('\n'));
      return status;
    }

    it('is kept exactly, or refused without losing the message', async () => {
      const faults: string[] = [];
      expect(await checkAnswer(overHttp, JSON.stringify(responderAnswer), responderAnswer)).toBe(201);
      expect(await checkAnswer(inProcess, responderAnswer, responderAnswer)).toBe(201);
      for (const field of fieldsOf(schema)) {
        const property = fc.asyncProperty(valuesOf(field), fc.boolean(), async (value, isHttp) => {
          const text = bodyWith(responderAnswer, field.path, value);
          const sent = parsed(text);
          if (!isHttp) {
            if (sent !== undefined) await checkAnswer(inProcess, sent, sent);
            return;
          }
          const status = await checkAnswer(overHttp, text, sent);
          if (hasInexactNumber(text) && status === 201)
            throw new Error('a number was accepted that cannot be kept');
        });
        await fc.assert(property, parameters(field.path.join('.'), runsOf(field))).catch((error: unknown) => {
          faults.push(`${field.path.join('.')}: ${String(error)}`);
        });
      }
      expect({ seed, faults }).toEqual({ seed, faults: [] });
    });

    it('is kept as JSON, or refused, if code returned what is not JSON', async () => {
      const faults: string[] = [];
      const given = (name: string, answer: Json): Promise<void> =>
        checkAnswer(inProcess, answer, asJson(answer)).then(
          () => undefined,
          (error: unknown) => {
            faults.push(`${name}: ${String(error)}`);
          },
        );
      for (const [name, value] of notJson) {
        const free = { a: [value], b: value };
        await given(name, {
          reply: { content: 'x', metadata: free },
          activeGoals: [{ id: 'g', type: 'a', slots: free }],
          context: free,
        });
      }
      for (const { path, schema: member } of fieldsOf(schema)) {
        if (member.type !== 'string') continue;
        const answer = structuredClone(responderAnswer);
        setAt(answer, path, 'x\ud83d');
        await given(path.join('.'), answer);
      }
      expect({ seed, faults }).toEqual({ seed, faults: [] });
    });
  });
});
