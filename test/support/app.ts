import { randomBytes } from 'node:crypto';
import { type InjectionToken, Module, type ModuleMetadata, type Type } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { AppModule } from '../../src/app.module.js';
import { ApiClient, type ApiResponse, type RequestHeaders } from '../../src/cli/index.js';
import { loadSettings } from '../../src/config/index.js';
import { configureApp } from '../../src/create-app.js';
import { type CommandListener, IndexManager } from '../../src/database/index.js';
import { createHttpAdapter } from '../../src/http/index.js';
import { createLogger, type ErrorReporter } from '../../src/logging/index.js';
import { type QueueDeclaration, QueueModule, QueueWorkers } from '../../src/queue/index.js';
import { TranscriptWorker } from '../../src/transcript/index.js';
import { createDataDir } from './data-dir.js';
import { createTestDatabase, type TestDatabase } from './database.js';

export interface TestResponse<Body = Record<string, unknown>> {
  status: number;
  headers: Headers;
  body: Body;
}

export interface TestTenant {
  tenantId: string;
  apiKey: string;
  /** Sends a request with the key of this tenant. `Body` is the expected type of the response. */
  request<Body = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    headers?: RequestHeaders,
  ): Promise<TestResponse<Body>>;
}

export interface TestRoute {
  method: string;
  /** Route template of Fastify, for example /v1/conversations/:id. */
  path: string;
}

export interface TestApp {
  app: NestFastifyApplication;
  url: string;
  adminKey: string;
  database: TestDatabase;
  /** Every route that the application registered, except HEAD and OPTIONS. */
  routes: readonly TestRoute[];
  inject: NestFastifyApplication['inject'];
  /** Sends a request with the admin key, another key, or no key (null). */
  request<Body = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    headers?: RequestHeaders,
    key?: string | null,
  ): Promise<TestResponse<Body>>;
  createTenant(id?: string): Promise<TestTenant>;
  /** Starts the queue processors, as `main.ts` and `worker.ts` do. Further calls have no effect. */
  startWorkers(): Promise<void>;
  /** Closes the application, and deletes its database unless the test provided one. */
  close(): Promise<void>;
}

export interface TestAppOptions {
  /** A database that several applications share. The suite creates and drops it. */
  database?: TestDatabase;
  /** Additional modules, for example `ResponderModule.forFeature([...])`. */
  imports?: ModuleMetadata['imports'];
  /** Additional queues, each with its processors. */
  queues?: readonly QueueDeclaration[];
  processors?: readonly Type[];
  /** Values that replace providers of the application, by token. */
  replace?: readonly (readonly [token: InjectionToken, value: unknown])[];
  /** Whether the queue processors run from the start. `startWorkers` starts them later. */
  workers?: boolean;
  adminKey?: string;
  errors?: ErrorReporter;
  /** Called for each command sent to the database. */
  onCommand?: CommandListener;
}

const testSettings: Readonly<Record<string, string>> = {
  NODE_ENV: 'test',
  LOG_LEVEL: 'silent',
  MONGODB_MAX_POOL_SIZE: '20',
  MONGODB_MIN_POOL_SIZE: '0',
  // The store and Redis respond slowly on a busy machine.
  MONGODB_SERVER_SELECTION_TIMEOUT_MS: '30000',
  DATABASE_CONNECT_ATTEMPTS: '1',
  REDIS_COMMAND_TIMEOUT_MS: '2000',
  HTTP_RESPONDER_ALLOW_PRIVATE: 'true',
};

function collectRoutes(app: NestFastifyApplication): TestRoute[] {
  const routes: TestRoute[] = [];
  app
    .getHttpAdapter()
    .getInstance()
    .addHook('onRoute', ({ method, url }) => {
      for (const one of [method].flat())
        if (one !== 'HEAD' && one !== 'OPTIONS') routes.push({ method: one, path: url });
    });
  return routes;
}

const send = async <Body>(
  url: string,
  key: string | null,
  [method, path, body, headers]: [string, string, unknown?, RequestHeaders?],
): Promise<TestResponse<Body>> => {
  const response: ApiResponse = await new ApiClient(url, key ?? undefined).request(
    method,
    path,
    body,
    headers,
  );
  return { ...response, body: response.body as Body };
};

/**
 * Starts the whole application with the global pipes, filters, hooks and pages that `main.ts` adds. It
 * listens on a free port of 127.0.0.1 and uses a new database, with indexes, and a new DATA_DIR. A second
 * application on the same database (`options.database`, or MONGODB_URI of the first) behaves like a second
 * process.
 *
 * Transcripts are embedded from the start unless WORKERS is `off`. The queue processors run once
 * `startWorkers` is called, or from the start with `options.workers`.
 *
 * @param overrides settings, by the names of their environment variables
 * @throws StartupError, or the error of a module, when the application cannot start
 */
export async function createTestApp(
  overrides: Readonly<Record<string, string>> = {},
  options: TestAppOptions = {},
): Promise<TestApp> {
  const { adminKey = `admin_${randomBytes(18).toString('base64url')}`, errors, onCommand } = options;
  const database = options.database ?? createTestDatabase();
  const { dataDir, removeDataDir } = createDataDir();
  const settings = loadSettings({
    ...testSettings,
    MONGODB_URI: database.uri,
    DATA_DIR: dataDir,
    ADMIN_API_KEY: adminKey,
    ...overrides,
  });
  const logger = createLogger({ level: settings.service.LOG_LEVEL, pretty: false });
  const appOptions = { logger, errors, onCommand };

  @Module({
    imports: [QueueModule.forFeature(options.queues ?? []), ...(options.imports ?? [])],
    providers: [...(options.processors ?? [])],
  })
  class TestModule {}

  const builder = Test.createTestingModule({
    imports: [AppModule.forRoot(settings, appOptions), TestModule],
  });
  for (const [token, value] of options.replace ?? []) builder.overrideProvider(token).useValue(value);
  const discard = async (): Promise<void> => {
    removeDataDir();
    if (!options.database) await database.drop();
  };
  const module = await builder.compile().catch(async (error: unknown) => {
    await discard();
    throw error;
  });
  const app = module.createNestApplication<NestFastifyApplication>(
    createHttpAdapter(settings.service, logger, errors),
    { logger: false, bodyParser: false },
  );
  const close = async (): Promise<void> => {
    await app.close();
    await discard();
  };
  const startWorkers = (): Promise<void> => app.get(QueueWorkers).start();
  let routes: TestRoute[];
  try {
    await configureApp(app, appOptions);
    routes = collectRoutes(app);
    await app.init();
    await app.get(IndexManager).ensure();
    await app.listen(0, '127.0.0.1');
    if (settings.queue.WORKERS === 'on') app.get(TranscriptWorker).start();
    if (options.workers) await startWorkers();
  } catch (error) {
    await close();
    throw error;
  }
  const url = await app.getUrl();
  return {
    app,
    url,
    adminKey,
    database,
    routes,
    inject: app.inject.bind(app),
    request: (method, path, body, headers, key = adminKey) => send(url, key, [method, path, body, headers]),
    async createTenant(tenantId = `tenant-${randomBytes(4).toString('hex')}`) {
      const { status, body } = await send<{ apiKey: string }>(url, adminKey, [
        'POST',
        '/v1/tenants',
        { id: tenantId, name: tenantId },
      ]);
      if (status !== 201) throw new Error(`no tenant: ${status} ${JSON.stringify(body)}`);
      const { apiKey } = body;
      return {
        tenantId,
        apiKey,
        request: (method, path, body, headers) => send(url, apiKey, [method, path, body, headers]),
      };
    },
    startWorkers,
    close,
  };
}
