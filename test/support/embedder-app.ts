import type { INestApplicationContext } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { AppModule } from '../../src/app.module.js';
import { loadSettings } from '../../src/config/index.js';
import { IndexManager } from '../../src/database/index.js';
import { createHttpAdapter } from '../../src/http/http-adapter.js';
import { createLogger } from '../../src/logging/index.js';
import { EMBEDDER, type Embedder } from '../../src/search/index.js';
import { TranscriptWorker } from '../../src/transcript/index.js';
import { createDataDir } from './data-dir.js';
import type { TestDatabase } from './database.js';

export interface EmbedderApp {
  app: INestApplicationContext;
  close(): Promise<void>;
}

/** The whole application as one process, with an embedder of a test; several may share a database. */
export async function createEmbedderApp(
  database: TestDatabase,
  embedder: Embedder,
  overrides: Readonly<Record<string, string>> = {},
): Promise<EmbedderApp> {
  const { dataDir, removeDataDir } = createDataDir();
  const settings = loadSettings({
    NODE_ENV: 'test',
    DATA_DIR: dataDir,
    LOG_LEVEL: 'silent',
    MONGODB_URI: database.uri,
    MONGODB_MIN_POOL_SIZE: '0',
    MONGODB_SERVER_SELECTION_TIMEOUT_MS: '3000',
    DATABASE_CONNECT_ATTEMPTS: '1',
    TRANSCRIPT_BATCH_TIMEOUT_MS: '20',
    ...overrides,
  });
  const logger = createLogger({ level: settings.service.LOG_LEVEL, pretty: false });
  const options = { logger };
  const module = await Test.createTestingModule({ imports: [AppModule.forRoot(settings, options)] })
    .overrideProvider(EMBEDDER)
    .useValue(embedder)
    .compile();
  const app = module.createNestApplication(createHttpAdapter(settings.service, logger), { logger: false });
  await app.init();
  await app.get(IndexManager).ensure();
  if (settings.queue.WORKERS === 'on') app.get(TranscriptWorker).start();
  return {
    app,
    async close() {
      await app.close();
      removeDataDir();
    },
  };
}
