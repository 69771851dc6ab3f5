import 'reflect-metadata';
import { processErrors } from './instrument.js';
import {
  exitOnUnhandledErrors,
  explainFailure,
  prepareProcess,
  type ProcessContext,
  shutDownOnSignals,
} from './bootstrap/index.js';
import { createApp } from './create-app.js';
import { DatabaseService, IndexManager } from './database/index.js';
import { HealthService } from './monitoring/index.js';
import { QueueWorkers } from './queue/index.js';
import { OldJournalImport, TranscriptWorker } from './transcript/index.js';

/** Runs only the background work. Of HTTP it serves the probes, the metrics and the snapshot. */
async function work({ settings, logger, errors }: ProcessContext): Promise<void> {
  const { HOST, WORKER_PORT, SHUTDOWN_GRACE_MS } = settings.service;
  const app = await createApp(settings, { logger, errors, role: 'worker' });
  try {
    await app.listen(WORKER_PORT, HOST);
    await app.get(IndexManager).prepare(app.get(DatabaseService).storeHandle.kind);
    await app.get(OldJournalImport).start();
    await app.get(QueueWorkers).start();
    app.get(TranscriptWorker).start();
  } catch (error) {
    await app.close();
    throw error;
  }
  const health = app.get(HealthService);
  shutDownOnSignals(
    () => {
      health.beginShutdown();
      return app.close();
    },
    SHUTDOWN_GRACE_MS,
    { logger, errors },
  );
  const url = (await app.getUrl()).replace('[::1]', '127.0.0.1');
  logger.info({ url }, 'worker started');
  process.send?.({ type: 'listening', url });
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
