import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { AppModule } from '../../src/app.module.js';
import { ResponderModule } from '../../src/responder/index.js';
import { loadSettings } from '../../src/config/index.js';
import { configureApp } from '../../src/create-app.js';
import { IndexManager } from '../../src/database/index.js';
import { createHttpAdapter } from '../../src/http/http-adapter.js';
import { createLogger } from '../../src/logging/index.js';
import { createTestDatabase } from '../support/database.js';
import { EchoResponder } from '../../examples/echo.responder.js';
import { exampleEndpoint } from '../../examples/http-endpoint.js';

const read = (file: string): string => readFileSync(join(process.cwd(), file), 'utf8');

/** Returns the TypeScript code blocks of a documentation page. */
const codeOf = (page: string): string[] =>
  [...read(page).matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = '']) => code);

const secret = 'a-long-random-secret';

describe('the responders in docs/extending.md and docs/responders.md', () => {
  const database = createTestDatabase();
  const adminApiKey = 'admin-key-of-this-suite';
  let app: NestFastifyApplication;
  let endpoint: Server;
  let key: string;

  const send = async (method: 'POST' | 'PUT', url: string, payload: object, apiKey = key) => {
    const response = await app.inject({
      method,
      url,
      payload,
      headers: { authorization: `Bearer ${apiKey}` },
    });
    return { status: response.statusCode, body: response.json<Record<string, unknown>>() };
  };
  const say = async (content: string, attachments: object[] = []): Promise<Record<string, unknown>> =>
    (await send('POST', '/v1/messages', { participantId: 'ana', channel: 'web', content, attachments })).body;

  beforeAll(async () => {
    const settings = loadSettings({
      NODE_ENV: 'test',
      MONGODB_URI: database.uri,
      MONGODB_MIN_POOL_SIZE: '0',
      HTTP_RESPONDER_ALLOW_PRIVATE: 'true',
      ADMIN_API_KEY: adminApiKey,
    });
    const options = { logger: createLogger({ level: 'silent', pretty: false }) };
    const module = await Test.createTestingModule({
      imports: [AppModule.forRoot(settings, options), ResponderModule.forFeature([EchoResponder])],
    }).compile();
    app = module.createNestApplication<NestFastifyApplication>(
      createHttpAdapter(settings.service, options.logger),
      { logger: false, bodyParser: false },
    );
    await configureApp(app, options);
    await app.init();
    await app.get(IndexManager).ensure();
    const { body } = await send('POST', '/v1/tenants', { id: 'acme', name: 'Acme' }, adminApiKey);
    key = String(body['apiKey']);
    endpoint = exampleEndpoint(secret);
    await new Promise<void>((resolve) => endpoint.listen(0, '127.0.0.1', resolve));
  });
  afterAll(async () => {
    await app.close();
    await database.drop();
    endpoint.closeAllConnections();
    await new Promise((resolve) => endpoint.close(resolve));
  });

  it('match the code of the example files', () => {
    const inSrc = read('examples/echo.responder.ts').replace('../src/', '../');
    expect(codeOf('docs/extending.md')).toEqual(
      expect.arrayContaining([inSrc, 'ResponderModule.forFeature([EchoResponder]),\n']),
    );
    expect(codeOf('docs/responders.md')).toContain(read('examples/http-endpoint.ts'));
  });

  it('reply to messages and keep state in the session, as a class', async () => {
    const chosen = await send('PUT', '/v1/responder', { type: 'echo', config: { prefix: 'Echo:' } });
    expect(chosen).toMatchObject({ status: 200, body: { type: 'echo' } });
    expect(await say('one')).toMatchObject({ reply: { content: 'Echo: one', metadata: { echoes: 1 } } });
    expect(await say('two')).toMatchObject({
      reply: { metadata: { echoes: 2 } },
      session: { context: { echoes: 2 } },
    });
    const failed = await say('', [{ type: 'image', url: 'https://example.com/a.png' }]);
    expect(failed).toMatchObject({ status: 502, code: 'responder_failed' });
    expect(failed['detail']).toContain('Only text can be echoed.');
  });

  it('accept requests signed by Colloquy and reject another secret, as an endpoint', async () => {
    const url = `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}/`;
    await send('PUT', '/v1/responder', { type: 'http', config: { url, secret } });
    expect(await say('hi')).toMatchObject({ reply: { content: 'Hello! You wrote: hi' } });
    await send('PUT', '/v1/responder', { type: 'http', config: { url, secret: 'another-secret-of-length' } });
    expect(await say('hi')).toMatchObject({ status: 502, code: 'responder_failed' });
  });
});
