import { randomBytes } from 'node:crypto';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { ApiClient, type ApiResponse, type RequestHeaders } from '../../src/cli/index.js';
import { loadSettings } from '../../src/config/index.js';
import { createApp } from '../../src/create-app.js';
import { type CommandListener, IndexManager } from '../../src/database/index.js';
import { createLogger } from '../../src/logging/index.js';
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
  /** A request with this tenant's key; `Body` is what the test expects the answer to be. */
  request<Body = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    headers?: RequestHeaders,
  ): Promise<TestResponse<Body>>;
}

export interface TestRoute {
  method: string;
  /** Template as Fastify knows it, for example /v1/conversations/:id. */
  path: string;
}

export interface TestApp {
  app: NestFastifyApplication;
  url: string;
  adminKey: string;
  database: TestDatabase;
  /** Every route that the application registered, HEAD and OPTIONS aside. */
  routes: readonly TestRoute[];
  inject: NestFastifyApplication['inject'];
  /** A request with the admin key, or with no key (null) or another one. */
  request<Body = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    headers?: RequestHeaders,
    key?: string | null,
  ): Promise<TestResponse<Body>>;
  createTenant(id?: string): Promise<TestTenant>;
  /** Closes the application and deletes its database. */
  close(): Promise<void>;
}

const testSettings: Readonly<Record<string, string>> = {
  NODE_ENV: 'test',
  LOG_LEVEL: 'silent',
  MONGODB_MAX_POOL_SIZE: '20',
  MONGODB_MIN_POOL_SIZE: '0',
  MONGODB_SERVER_SELECTION_TIMEOUT_MS: '3000',
  DATABASE_CONNECT_ATTEMPTS: '1',
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
 * The whole API as `main.ts` builds it, listening on a free port of 127.0.0.1, on a database of its own. `overrides` are
 * settings by their names in the environment; `onCommand` is called for each command to the database.
 */
export async function createTestApp(
  overrides: Readonly<Record<string, string>> = {},
  onCommand?: CommandListener,
): Promise<TestApp> {
  const database = createTestDatabase();
  const adminKey = `admin_${randomBytes(18).toString('base64url')}`;
  const { dataDir, removeDataDir } = createDataDir();
  const settings = loadSettings({
    ...testSettings,
    MONGODB_URI: database.uri,
    DATA_DIR: dataDir,
    ADMIN_API_KEY: adminKey,
    ...overrides,
  });
  const logger = createLogger({ level: settings.service.LOG_LEVEL, pretty: false });
  const app = await createApp(settings, { logger, onCommand });
  const routes = collectRoutes(app);
  await app.get(IndexManager).ensure();
  await app.listen(0, '127.0.0.1');
  if (settings.queue.WORKERS === 'on') app.get(TranscriptWorker).start();
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
      const answer = await send<{ apiKey: string }>(url, adminKey, [
        'POST',
        '/v1/tenants',
        { id: tenantId, name: tenantId },
      ]);
      if (answer.status !== 201)
        throw new Error(`no tenant: ${answer.status} ${JSON.stringify(answer.body)}`);
      const { apiKey } = answer.body;
      return {
        tenantId,
        apiKey,
        request: (method, path, body, headers) => send(url, apiKey, [method, path, body, headers]),
      };
    },
    async close() {
      await app.close();
      removeDataDir();
      await database.drop();
    },
  };
}
