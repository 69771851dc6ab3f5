import 'reflect-metadata';
import { type INestApplicationContext, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AppModule } from '../../../src/app.module.js';
import { loadSettings } from '../../../src/config/index.js';
import { IndexManager } from '../../../src/database/index.js';
import { createLogger, NestLogger } from '../../../src/logging/index.js';
import { ProbeModule } from './probe-queues.js';

/**
 * The whole application with the probe queues, without HTTP. It processes no jobs until its `QueueWorkers`
 * are started.
 */
export async function openProbeApp(env: Readonly<Record<string, string>>): Promise<INestApplicationContext> {
  const settings = loadSettings(env);
  const logger = createLogger({ level: settings.service.LOG_LEVEL, pretty: false });
  const modules = AppModule.forRoot(settings, { logger });

  @Module({ imports: [modules, ProbeModule] })
  class ProbeApp {}

  const app = await NestFactory.createApplicationContext(ProbeApp, {
    logger: new NestLogger(logger),
    abortOnError: false,
  });
  await app.get(IndexManager).ensure();
  return app;
}
