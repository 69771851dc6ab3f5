import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import {
  ResponderModule,
  type Responder,
  type ResponderRequest,
  type ResponderResult,
} from '../../src/responder/index.js';
import { createTestApp, type TestApp } from './app.js';
import type { TestDatabase } from './database.js';

export type Script = (request: ResponderRequest, signal: AbortSignal) => Promise<ResponderResult>;

/**
 * A responder of type `scripted` that runs a function given by the test. By default it replies with the
 * message itself.
 */
@Injectable()
export class ScriptedResponder implements Responder {
  readonly type = 'scripted';
  readonly configSchema = z.unknown();
  isImmediate = false;
  script: Script = ({ message }) => Promise.resolve({ reply: { content: `re: ${message.content}` } });
  /** Number of calls so far. */
  calls = 0;

  respond(request: ResponderRequest, signal: AbortSignal): Promise<ResponderResult> {
    this.calls++;
    return this.script(request, signal);
  }
}

export interface ScriptedApp extends TestApp {
  responder: ScriptedResponder;
  /** Sets the scripted responder for the tenant. */
  choose(tenantId: string): Promise<void>;
}

/** `createTestApp` with a scripted responder and without background work, on the database of the suite. */
export async function createScriptedApp(
  database: TestDatabase,
  overrides: Readonly<Record<string, string>> = {},
): Promise<ScriptedApp> {
  const test = await createTestApp(
    { WORKERS: 'off', ...overrides },
    { database, imports: [ResponderModule.forFeature([ScriptedResponder])] },
  );
  return {
    ...test,
    responder: test.app.get(ScriptedResponder),
    async choose(tenantId) {
      await database
        .collection('responders')
        .updateOne(
          { tenantId },
          { $set: { type: 'scripted', config: {}, updatedAt: new Date() } },
          { upsert: true },
        );
    },
  };
}
