// The whole API with its embedded store, as run by `npm start`, and the naive approach next to it. Measures
// in its own process. The argument contains the settings as JSON. Routes under /control belong to the
// benchmark.
import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { Session } from 'node:inspector/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { AppModule } from '../../src/app.module.js';
import { loadSettings } from '../../src/config/index.js';
import { configureApp } from '../../src/create-app.js';
import { IndexManager } from '../../src/database/index.js';
import { createHttpAdapter } from '../../src/http/index.js';
import { createLogger, NestLogger } from '../../src/logging/index.js';
import { TranscriptModule, TranscriptService, TranscriptWorker } from '../../src/transcript/index.js';
import { NaiveController } from './naive.controller.js';
import { FigureRecorder } from './server-figures.js';

@Module({ imports: [TranscriptModule], controllers: [NaiveController] })
class NaiveModule {}

const adminApiKey = `admin_${randomBytes(18).toString('base64url')}`;
const settings = loadSettings({
  ...(JSON.parse(process.argv[2] ?? '{}') as Record<string, string>),
  ADMIN_API_KEY: adminApiKey,
});
const logger = createLogger({ level: settings.service.LOG_LEVEL, pretty: false });
const options = { logger };

@Module({ imports: [AppModule.forRoot(settings, options), NaiveModule] })
class BenchModule {}

async function open(): Promise<NestFastifyApplication> {
  const app = await NestFactory.create<NestFastifyApplication>(
    BenchModule,
    createHttpAdapter(settings.service, logger),
    { logger: new NestLogger(logger), abortOnError: false, bodyParser: false },
  );
  await configureApp(app, options);
  await app.get(IndexManager).ensure();
  app.get(TranscriptWorker).start();
  return app;
}

function measureService(service: TranscriptService, recorder: FigureRecorder): void {
  const enqueue = service.enqueue.bind(service);
  service.enqueue = async (tenant, body, givenId) => {
    const begun = performance.now();
    const answer = await enqueue(tenant, body, givenId);
    recorder.addEnqueue(performance.now() - begun);
    return answer;
  };
  service.onBatch((batch) => recorder.addBatch(batch));
}

function addControl(app: NestFastifyApplication, recorder: FigureRecorder): void {
  const fastify = app.getHttpAdapter().getInstance();
  const inspector = new Session();
  fastify.post('/control/reset', () => {
    recorder.reset();
    return {};
  });
  fastify.get('/control/figures', () => recorder.figures());
  fastify.get<{ Params: { count: string } }>('/control/stored/:count', async ({ params }) => {
    await recorder.untilStored(Number(params.count));
    return recorder.figures();
  });
  fastify.post('/control/profile', async () => {
    inspector.connect();
    await inspector.post('Profiler.enable');
    await inspector.post('Profiler.start');
    return {};
  });
  fastify.post<{ Querystring: { file: string } }>('/control/profile-end', async ({ query }) => {
    const { profile } = await inspector.post('Profiler.stop');
    await writeFile(query.file, JSON.stringify(profile));
    inspector.disconnect();
    return {};
  });
}

const recorder = new FigureRecorder();
const app = await open();
measureService(app.get(TranscriptService), recorder);
recorder.watch(app.getHttpServer());
addControl(app, recorder);
await app.listen(0, '127.0.0.1');
process.send?.({ type: 'listening', url: await app.getUrl(), adminApiKey });
process.on('SIGTERM', () => void app.close().then(() => process.exit(0)));
process.on('disconnect', () => process.exit(0));
