import { z } from 'zod';
import { HttpResponder } from '../../src/responder/http/http.responder.js';
import { goalResponderConfig } from '../../src/responder/goal/goal-template.js';
import { responderResult } from '../../src/responder/responder-result.js';
import { loadSettings } from '../../src/config/index.js';
import { createTestApp, type TestApp } from '../support/app.js';
import { type ApiDocument, bodySchemaOf, type JsonSchema, structureOf } from '../support/json-schema.js';

/** A value that the schema describes, with every optional member null. */
function withNulls(schema: JsonSchema, example: unknown = schema.example): unknown {
  const { type, properties, required = [], items, enum: values, format } = structureOf(schema);
  if (properties) {
    const given = (example ?? {}) as Record<string, unknown>;
    return Object.fromEntries(
      Object.entries(properties).map(([name, member]) => [
        name,
        required.includes(name) ? withNulls(member, given[name] ?? member.example) : null,
      ]),
    );
  }
  if (items) {
    const [first] = (example ?? []) as unknown[];
    return [withNulls(items, first)];
  }
  if (example !== undefined) return example;
  if (values) return values[0];
  if (type === 'object') return {};
  if (type === 'string') return format === 'uri' ? 'https://example.com/' : 'text';
  return type === 'boolean' ? true : 1;
}

/** An optional object within a schema, after the optional objects that contain it. */
type Nested = readonly { readonly path: readonly string[]; readonly schema: JsonSchema }[];

function* optionalObjects(schema: JsonSchema, path: string[] = [], outer: Nested = []): Generator<Nested> {
  const { properties, required = [], items } = structureOf(schema);
  if (items) yield* optionalObjects(items, [...path, '0'], outer);
  for (const [name, member] of Object.entries(properties ?? {})) {
    const { properties: inner, items: rows } = structureOf(member);
    const isOptionalObject =
      !required.includes(name) && (inner ?? structureOf(rows ?? {}).properties) !== undefined;
    const nested = isOptionalObject ? [...outer, { path: [...path, name], schema: member }] : outer;
    if (isOptionalObject) yield nested;
    yield* optionalObjects(member, [...path, name], nested);
  }
}

function setAt(target: unknown, [name = '', ...rest]: readonly string[], value: unknown): void {
  const object = target as Record<string, unknown>;
  if (rest.length === 0) object[name] = value;
  else setAt(object[name], rest, value);
}

const jsonSchemaOf = (schema: z.ZodType): JsonSchema =>
  z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema;

/** Null for all optional members, and for those of each optional object in turn. */
function* bodiesWithNulls(schema: JsonSchema): Generator<unknown> {
  yield withNulls(schema);
  for (const nested of optionalObjects(schema)) {
    const body = withNulls(schema);
    for (const { path, schema: inner } of nested) setAt(body, path, withNulls(inner));
    yield body;
  }
}

describe('null for an optional member of a body', () => {
  let test: TestApp;

  beforeAll(async () => {
    test = await createTestApp();
  });
  afterAll(() => test.close());

  it('means that it is absent, for every member of every route', async () => {
    const tenant = await test.createTenant();
    const conversation = await tenant.request<{ id: string }>('POST', '/v1/conversations', {
      participantId: 'ann',
      channel: 'web',
    });
    const { body: document } = await test.request<ApiDocument>('GET', '/docs/openapi.json');
    const refused: string[] = [];
    let checked = 0;
    for (const [path, operations] of Object.entries(document.paths))
      for (const [method, operation] of Object.entries(operations)) {
        const schema = bodySchemaOf(operation);
        // In a merge patch null removes a member.
        if (!schema || method === 'patch' || path === '/v1/responder') continue;
        for (const body of bodiesWithNulls(schema)) {
          const key = /^\/v1\/(tenants|archives)/.test(path) ? test.adminKey : tenant.apiKey;
          const url = path
            .replace('{id}', path.startsWith('/v1/tenants') ? tenant.tenantId : conversation.body.id)
            .replace('{conversationId}', conversation.body.id)
            .replace('{participantId}', 'ann');
          const response = await test.request(method.toUpperCase(), url, body, {}, key);
          checked++;
          if (response.status >= 400 && response.status !== 409)
            refused.push(`${method} ${path} ${JSON.stringify(body)}: ${JSON.stringify(response.body)}`);
        }
      }
    expect(refused).toEqual([]);
    expect(checked).toBeGreaterThan(8);
  });

  it.each<[string, z.ZodType, unknown]>([
    ["a responder's result", responderResult, undefined],
    [
      'the settings of the goal responder',
      goalResponderConfig,
      {
        templates: [
          {
            type: 'a',
            triggers: ['a'],
            slots: [{ name: 'a', kind: 'text', prompt: 'a?' }],
            completion: 'done',
          },
        ],
        fallback: 'no',
      },
    ],
    [
      'the settings of the HTTP responder',
      new HttpResponder(loadSettings({}).processing).configSchema,
      { url: 'https://bot.example.com/', secret: 'a-secret-of-some-length' },
    ],
  ])('means that it is absent in %s', (_name, schema, example) => {
    const described = { ...jsonSchemaOf(schema), example };
    for (const body of bodiesWithNulls(described)) {
      expect({ body, problem: schema.safeParse(body).error?.message }).toEqual({ body, problem: undefined });
    }
  });

  it('keeps null in what a client may shape freely', async () => {
    const tenant = await test.createTenant();
    const metadata = { a: null, b: [null], c: { d: null } };
    const made = await tenant.request<{ metadata: unknown }>('POST', '/v1/conversations', {
      participantId: 'ann',
      channel: 'web',
      title: null,
      metadata,
    });
    expect(made.body).toMatchObject({ title: null, metadata });
    const goal = await tenant.request('POST', '/v1/sessions/ann/goals', {
      type: 'book',
      slots: { city: null },
    });
    expect(goal.body).toMatchObject({ slots: { city: null } });
  });

  it('does not store an optional member of an attachment that is null', async () => {
    const tenant = await test.createTenant();
    const url = 'https://cdn.example.com/a.png';
    const stored = await tenant.request<{ message: { attachments: unknown } }>('POST', '/v1/messages', {
      participantId: 'ann',
      channel: 'web',
      content: '',
      externalId: null,
      attachments: [{ type: 'image', url, name: null, mime: null, size: null }],
    });
    expect(stored.body.message.attachments).toEqual([{ type: 'image', url }]);
  });
});
