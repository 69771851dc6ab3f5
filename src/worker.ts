import 'reflect-metadata';
import { processErrors } from './instrument.js';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import {
  exitOnUnhandledErrors,
  explainFailure,
  prepareProcess,
  type ProcessContext,
  shutDownOnSignals,
} from './bootstrap/index.js';
import { DatabaseService, IndexManager } from './database/index.js';
import { NestLogger, setRequestContextMode } from './logging/index.js';
import {
  HealthProbes,
  HealthService,
  type HealthServerSources,
  Metrics,
  MetricsService,
  startHealthServer,
} from './monitoring/index.js';
import { QueueWorkers } from './queue/index.js';
import { AdminKey, bearerOf } from './tenant/index.js';
import { OldJournalImport, TranscriptWorker } from './transcript/index.js';

/** Runs only the background work: the same modules as the API, without HTTP except for the health probes. */
async function work({ settings, logger, errors }: ProcessContext): Promise<void> {
  const { HOST, WORKER_PORT, SHUTDOWN_GRACE_MS, REQUEST_CONTEXT } = settings.service;
  setRequestContextMode(REQUEST_CONTEXT);
  const app = await NestFactory.createApplicationContext(
    AppModule.forRoot(settings, { logger, errors, role: 'worker' }),
    {
      logger: new NestLogger(logger),
      abortOnError: false,
    },
  );
  const health = app.get(HealthService);
  const key = app.get(AdminKey);
  const sources: HealthServerSources = {
    probes: app.get(HealthProbes),
    metrics: app.get(Metrics),
    snapshot: () => app.get(MetricsService).collect(),
    isOperator: (request) => key.matches(bearerOf(request) ?? ''),
    onError: (error, path) => {
      const errorId = errors.report(error, { tags: { route: path } });
      logger.error({ err: error, errorId, path }, 'a probe request failed');
      return errorId;
    },
  };
  let probes: Awaited<ReturnType<typeof startHealthServer>>;
  try {
    probes = await startHealthServer(sources, HOST, WORKER_PORT);
    await app.get(IndexManager).prepare(app.get(DatabaseService).storeHandle.kind);
    await app.get(OldJournalImport).start();
    await app.get(QueueWorkers).start();
    app.get(TranscriptWorker).start();
  } catch (error) {
    await app.close();
    throw error;
  }
  shutDownOnSignals(
    async () => {
      health.beginShutdown();
      await app.close();
      await probes.close();
    },
    SHUTDOWN_GRACE_MS,
    { logger, errors },
  );
  logger.info({ probes: probes.url }, 'worker started');
  process.send?.({ type: 'listening', url: probes.url });
}

let context: ProcessContext | undefined;
try {
  context = prepareProcess(processErrors());
  exitOnUnhandledErrors(context);
  await work(context);
} catch (error) {
  const service = context?.settings.service;
  const port = service && { HOST: service.HOST, PORT: service.WORKER_PORT, portName: 'WORKER_PORT' };
  process.stderr.write(`${explainFailure(error, port)}\n`);
  process.exit(1);
}
