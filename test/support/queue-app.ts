import { Injectable, Module, type Type } from '@nestjs/common';
import type { INestApplicationContext } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { AppModule } from '../../src/app.module.js';
import { loadSettings } from '../../src/config/index.js';
import { IndexManager } from '../../src/database/index.js';
import { createHttpAdapter } from '../../src/http/http-adapter.js';
import { createLogger, type ErrorReporter } from '../../src/logging/index.js';
import {
  type Job,
  type JobProcessor,
  ProcessorOf,
  type QueueDeclaration,
  type QueueDefinition,
  QueueModule,
  QueueService,
  QueueWorkers,
} from '../../src/queue/index.js';
import { createDataDir } from './data-dir.js';
import type { TestDatabase } from './database.js';

export type Work<Payload> = (job: Job<Payload>) => Promise<unknown>;

/** A class that is the processor of a queue and does what a test says. */
export function processorOf<Payload>(
  definition: QueueDefinition<Payload>,
  work: Work<Payload>,
): Type<JobProcessor<Payload>> {
  class Processor implements JobProcessor<Payload> {
    process(job: Job<Payload>): Promise<unknown> {
      return work(job);
    }
  }
  Injectable()(Processor);
  ProcessorOf(definition)(Processor);
  return Processor;
}

export interface QueueApp {
  app: INestApplicationContext;
  queues: QueueService;
  workers: QueueWorkers;
  close(): Promise<void>;
}

/** The whole application as one process, with queues of a test; it does no work until `workers.start()`. */
export async function createQueueApp(
  database: TestDatabase,
  definitions: readonly QueueDeclaration[],
  processors: readonly Type[],
  overrides: Readonly<Record<string, string>> = {},
  errors?: ErrorReporter,
): Promise<QueueApp> {
  @Module({ imports: [QueueModule.forFeature(definitions)], providers: [...processors] })
  class TestQueues {}

  const { dataDir, removeDataDir } = createDataDir();
  const settings = loadSettings({
    NODE_ENV: 'test',
    DATA_DIR: dataDir,
    LOG_LEVEL: 'silent',
    MONGODB_URI: database.uri,
    MONGODB_MIN_POOL_SIZE: '0',
    MONGODB_SERVER_SELECTION_TIMEOUT_MS: '3000',
    DATABASE_CONNECT_ATTEMPTS: '1',
    ...overrides,
  });
  const logger = createLogger({ level: settings.service.LOG_LEVEL, pretty: false });
  const options = { logger, errors };
  const module = await Test.createTestingModule({
    imports: [AppModule.forRoot(settings, options), TestQueues],
  }).compile();
  const app = module.createNestApplication(createHttpAdapter(settings.service, logger), { logger: false });
  try {
    await app.init();
  } catch (error) {
    await app.close();
    removeDataDir();
    throw error;
  }
  await app.get(IndexManager).ensure();
  return {
    app,
    queues: app.get(QueueService),
    workers: app.get(QueueWorkers),
    async close() {
      await app.close();
      removeDataDir();
    },
  };
}
