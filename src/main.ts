import 'reflect-metadata';
import { processErrors } from './instrument.js';
import { setTimeout as delay } from 'node:timers/promises';
import {
  banner,
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

async function serve(context: ProcessContext): Promise<void> {
  const { settings, logger, errors } = context;
  const { HOST, PORT, SHUTDOWN_GRACE_MS, SHUTDOWN_DRAIN_MS, NODE_ENV } = settings.service;
  const app = await createApp(settings, { logger, errors });
  try {
    await app.get(IndexManager).prepare(app.get(DatabaseService).storeHandle.kind);
    await app.get(OldJournalImport).start();
    await app.listen(PORT, HOST);
    if (settings.queue.WORKERS === 'on') {
      await app.get(QueueWorkers).start();
      app.get(TranscriptWorker).start();
    }
  } catch (error) {
    await app.close();
    throw error;
  }
  const health = app.get(HealthService);
  shutDownOnSignals(
    async () => {
      health.beginShutdown();
      // Load balancers need time to notice the shutdown. Requests that still arrive in the meantime are
      // served.
      await delay(Math.min(SHUTDOWN_DRAIN_MS, SHUTDOWN_GRACE_MS / 2));
      // Nest's first hooks release resources while the server is still running, so requests in progress are
      // finished before them.
      await app.getHttpAdapter().close();
      await app.close();
    },
    SHUTDOWN_GRACE_MS,
    { logger, errors },
  );
  const url = (await app.getUrl()).replace('[::1]', '127.0.0.1');
  logger.info({ url, store: app.get(DatabaseService).storeHandle.kind }, 'listening');
  if (NODE_ENV !== 'production')
    process.stdout.write(banner(url, context, app.get(DatabaseService).storeHandle));
  process.send?.({ type: 'listening', url, adminApiKey: settings.service.ADMIN_API_KEY });
}

let context: ProcessContext | undefined;
try {
  context = prepareProcess(processErrors());
  exitOnUnhandledErrors(context);
  await serve(context);
} catch (error) {
  const service = context?.settings.service;
  process.stderr.write(`${explainFailure(error, service && { ...service, portName: 'PORT' })}\n`);
  process.exit(1);
}
