import { randomBytes } from 'node:crypto';
import { Module, type Type } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { AppModule } from '../../src/app.module.js';
import { loadSettings } from '../../src/config/index.js';
import { configureApp } from '../../src/create-app.js';
import { IndexManager } from '../../src/database/index.js';
import { createHttpAdapter } from '../../src/http/http-adapter.js';
import { createLogger } from '../../src/logging/index.js';
import { type QueueDeclaration, QueueModule, QueueService, QueueWorkers } from '../../src/queue/index.js';
import { createDataDir } from './data-dir.js';
import { createTestDatabase, type TestDatabase } from './database.js';

export interface AdminAppOptions {
  definitions: readonly QueueDeclaration[];
  processors: readonly Type[];
  /** Settings by their names in the environment. */
  settings?: Readonly<Record<string, string>>;
  adminKey?: string;
}

export interface AdminApp {
  app: NestFastifyApplication;
  url: string;
  adminKey: string;
  database: TestDatabase;
  queues: QueueService;
  workers: QueueWorkers;
  close(): Promise<void>;
}

/** The whole API as `main.ts` configures it, listening on 127.0.0.1, with queues of a test; it does no work until `workers.start()`. */
export async function createAdminApp({
  definitions,
  processors,
  settings: overrides,
  adminKey = `admin_${randomBytes(18).toString('base64url')}`,
}: AdminAppOptions): Promise<AdminApp> {
  @Module({ imports: [QueueModule.forFeature(definitions)], providers: [...processors] })
  class TestQueues {}

  const database = createTestDatabase();
  const { dataDir, removeDataDir } = createDataDir();
  const settings = loadSettings({
    NODE_ENV: 'test',
    DATA_DIR: dataDir,
    LOG_LEVEL: 'silent',
    MONGODB_URI: database.uri,
    MONGODB_MIN_POOL_SIZE: '0',
    MONGODB_SERVER_SELECTION_TIMEOUT_MS: '3000',
    DATABASE_CONNECT_ATTEMPTS: '1',
    ADMIN_API_KEY: adminKey,
    ...overrides,
  });
  const logger = createLogger({ level: settings.service.LOG_LEVEL, pretty: false });
  const options = { logger };
  const module = await Test.createTestingModule({
    imports: [AppModule.forRoot(settings, options), TestQueues],
  }).compile();
  const app = module.createNestApplication<NestFastifyApplication>(
    createHttpAdapter(settings.service, logger),
    { logger: false, bodyParser: false },
  );
  await configureApp(app, options);
  await app.listen(0, '127.0.0.1');
  await app.get(IndexManager).ensure();
  return {
    app,
    url: await app.getUrl(),
    adminKey,
    database,
    queues: app.get(QueueService),
    workers: app.get(QueueWorkers),
    async close() {
      await app.close();
      removeDataDir();
      await database.drop();
    },
  };
}
