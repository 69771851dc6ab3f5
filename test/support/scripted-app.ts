import { Injectable } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { z } from 'zod';
import { AppModule } from '../../src/app.module.js';
import { loadSettings } from '../../src/config/index.js';
import { configureApp } from '../../src/create-app.js';
import { IndexManager } from '../../src/database/index.js';
import { createHttpAdapter } from '../../src/http/http-adapter.js';
import { createLogger } from '../../src/logging/index.js';
import {
  ResponderModule,
  type Responder,
  type ResponderRequest,
  type ResponderResult,
} from '../../src/responder/index.js';
import { createDataDir } from './data-dir.js';
import type { TestDatabase } from './database.js';

export type Script = (request: ResponderRequest, signal: AbortSignal) => Promise<ResponderResult>;

/** A responder that does what a test says; type `scripted`. By default it says the message again. */
@Injectable()
export class ScriptedResponder implements Responder {
  readonly type = 'scripted';
  readonly configSchema = z.unknown();
  isImmediate = false;
  script: Script = ({ message }) => Promise.resolve({ reply: { content: `re: ${message.content}` } });
  /** Calls since the start. */
  calls = 0;

  respond(request: ResponderRequest, signal: AbortSignal): Promise<ResponderResult> {
    this.calls++;
    return this.script(request, signal);
  }
}

export interface ScriptedApp {
  app: NestFastifyApplication;
  responder: ScriptedResponder;
  /** Makes the scripted responder that of the tenant. */
  choose(tenantId: string): Promise<void>;
  close(): Promise<void>;
}

export const scriptedAdminKey = 'admin-key-of-the-scripted-app';

/** The whole application with further responders, as one process on the database of a test; it does not listen. */
export async function createScriptedApp(
  database: TestDatabase,
  overrides: Readonly<Record<string, string>> = {},
): Promise<ScriptedApp> {
  const { dataDir, removeDataDir } = createDataDir();
  const settings = loadSettings({
    NODE_ENV: 'test',
    DATA_DIR: dataDir,
    LOG_LEVEL: 'silent',
    MONGODB_URI: database.uri,
    MONGODB_MIN_POOL_SIZE: '0',
    MONGODB_SERVER_SELECTION_TIMEOUT_MS: '3000',
    DATABASE_CONNECT_ATTEMPTS: '1',
    ADMIN_API_KEY: scriptedAdminKey,
    ...overrides,
  });
  const logger = createLogger({ level: 'silent', pretty: false });
  const options = { logger };
  const module = await Test.createTestingModule({
    imports: [AppModule.forRoot(settings, options), ResponderModule.forFeature([ScriptedResponder])],
  }).compile();
  const app = module.createNestApplication<NestFastifyApplication>(
    createHttpAdapter(settings.service, logger),
    { logger: false, bodyParser: false },
  );
  await configureApp(app, options);
  await app.init();
  await app.get(IndexManager).ensure();
  return {
    app,
    responder: app.get(ScriptedResponder),
    async choose(tenantId) {
      await database
        .collection('responders')
        .updateOne(
          { tenantId },
          { $set: { type: 'scripted', config: {}, updatedAt: new Date() } },
          { upsert: true },
        );
    },
    async close() {
      await app.close();
      removeDataDir();
    },
  };
}
