import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { STATUS_CODES } from 'node:http';

type PathItem = OpenAPIObject['paths'][string];
type Operation = NonNullable<PathItem['get']>;
type Responses = Operation['responses'];
type Response = NonNullable<Responses[string]>;
type Schema = NonNullable<NonNullable<OpenAPIObject['components']>['schemas']>[string];

const methods = ['get', 'put', 'post', 'patch', 'delete'] as const;
type Method = (typeof methods)[number];

const problemSchema: Schema = {
  type: 'object',
  description: 'An RFC 9457 problem document. Branch on `code`; `title` and `detail` are meant for humans.',
  required: ['type', 'title', 'status', 'code'],
  properties: {
    type: { type: 'string', example: 'about:blank' },
    title: { type: 'string' },
    status: { type: 'integer', minimum: 400, maximum: 599 },
    code: { type: 'string', description: 'Stable and machine-readable.', example: 'validation_failed' },
    detail: { type: 'string', description: 'What happened and what to do.' },
    instance: { type: 'string', description: 'The path of the request.' },
    requestId: {
      type: 'string',
      description: 'Also returned in the X-Request-Id header and written to the log.',
    },
    errorId: {
      type: 'string',
      pattern: '^[0-9a-f]{32}$',
      description: 'With 5xx: identifies the error in the log and in the error reports.',
    },
    errors: {
      type: 'array',
      description: 'With `validation_failed`: the first 20 fields that were rejected.',
      items: {
        type: 'object',
        required: ['path', 'message'],
        properties: { path: { type: 'string' }, message: { type: 'string' } },
      },
    },
  },
  additionalProperties: true,
};

const problemContent = {
  'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
};

const phraseOf = (status: string): string => STATUS_CODES[status] ?? 'Error';

/** The error statuses that an operation may return, depending on its kind. */
function errorStatuses(path: string, method: Method, { security }: Operation): string[] {
  const needsKey = security !== undefined && security.length > 0;
  return [
    '400',
    ...(needsKey ? ['401', '403'] : []),
    ...(path.includes('{') ? ['404'] : []),
    ...(needsKey ? ['429'] : []),
    '500',
    '503',
    ...(method === 'get' ? [] : ['507']),
  ];
}

function describedResponse(status: string, response: Response): Response {
  if ('$ref' in response) return response;
  const isError = /^[45]/.test(status);
  return {
    ...response,
    description: response.description || phraseOf(status),
    // Also replaces the schema of errors that a library declares, because ProblemFilter formats every error.
    ...(isError && { content: problemContent }),
  };
}

function withProblems(path: string, method: Method, operation: Operation): Responses {
  const responses: Responses = {};
  for (const status of errorStatuses(path, method, operation))
    responses[status] = { description: phraseOf(status) };
  for (const [status, response] of Object.entries(operation.responses))
    if (response) responses[status] = response;
  for (const [status, response] of Object.entries(responses))
    if (response) responses[status] = describedResponse(status, response);
  responses['default'] ??= { description: 'Any other error', content: problemContent };
  return responses;
}

/**
 * Adds what applies to all operations: errors are problem documents, and every response has a description.
 */
export function describeErrors(document: OpenAPIObject): OpenAPIObject {
  document.components = {
    ...document.components,
    schemas: { ...document.components?.schemas, Problem: problemSchema },
  };
  for (const [path, item] of Object.entries(document.paths))
    for (const method of methods) {
      const operation = item[method];
      if (operation) operation.responses = withProblems(path, method, operation);
    }
  return document;
}

/** Serves the API description: `path` as a page, `<path>/openapi.json` and `.yaml` as data. */
export function setUpOpenApi(app: NestFastifyApplication, path = 'docs'): void {
  const description =
    "Conversations, messages and session state of many tenants. Send `Authorization: Bearer <key>`. A tenant's key gives access to that " +
    'tenant only; the admin key manages tenants. Errors are RFC 9457 problem documents with a stable `code`. ' +
    'Null for an optional member of a request body means that it is absent, except in a JSON merge patch.';
  const config = new DocumentBuilder()
    .setTitle('Colloquy')
    .setDescription(description)
    .setVersion('1')
    .addBearerAuth({
      type: 'http',
      scheme: 'bearer',
      bearerFormat: 'opaque',
      description: "A tenant's API key or the admin key",
    })
    .build();
  SwaggerModule.setup(path, app, () => describeErrors(SwaggerModule.createDocument(app, config)), {
    jsonDocumentUrl: `${path}/openapi.json`,
    // Below the page's path, as it is checked there who may read it.
    yamlDocumentUrl: `${path}/openapi.yaml`,
  });
}
