import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { z } from 'zod';
import { AppModule } from '../../../src/app.module.js';
import { loadSettings } from '../../../src/config/index.js';
import { createLogger, NestLogger } from '../../../src/logging/index.js';
import {
  ApiClient,
  asTenantKey,
  Checkpoint,
  Importer,
  newState,
  readLines,
  TranscriptSender,
} from '../../../src/cli/index.js';
import { ServiceProcess } from '../../support/service-process.js';

const page = z.object({ data: z.array(z.object({ id: z.string() })), nextCursor: z.string().nullable() });

export interface LabTenant {
  id: string;
  api: ApiClient;
}

/** A service on the embedded store in its own folder, with this process connected to the same store. */
export class SearchLab {
  private constructor(
    private readonly dir: string,
    private readonly service: ServiceProcess,
    /** The whole application in this process, without HTTP. */
    readonly inside: INestApplicationContext,
  ) {}

  static async open(main: string): Promise<SearchLab> {
    const dir = await mkdtemp(join(tmpdir(), 'colloquy-search-'));
    const env = {
      NODE_ENV: 'development',
      DATA_DIR: join(dir, 'data'),
      PORT: '0',
      LOG_LEVEL: 'warn',
      TRANSCRIPT_BATCH_TIMEOUT_MS: '500',
      VECTOR_INDEX_MAX_BYTES: String(2 ** 30),
    };
    try {
      const service = await ServiceProcess.start({ main, cwd: dir, env });
      const logger = createLogger({ level: 'warn', pretty: false });
      const inside = await NestFactory.createApplicationContext(
        AppModule.forRoot(loadSettings(env), { logger }),
        { logger: new NestLogger(logger), abortOnError: false },
      );
      return new SearchLab(dir, service, inside);
    } catch (error) {
      await rm(dir, { recursive: true, force: true });
      throw error;
    }
  }

  async tenant(id: string): Promise<LabTenant> {
    const admin = new ApiClient(this.service.url, this.service.adminKey);
    const key = await admin.call('POST', '/v1/tenants', asTenantKey, { id, name: id });
    return { id, api: new ApiClient(this.service.url, key) };
  }

  /**
   * Imports dialogues in the same way as the import command. Returns how many were accepted.
   * @throws Error if any was rejected
   */
  async importDialogues(
    { id, api }: LabTenant,
    file: string,
    labels: boolean,
    onLine: () => void,
  ): Promise<number> {
    const files = { state: join(this.dir, `${id}.json`), rejected: join(this.dir, `${id}.rejected.ndjson`) };
    const checkpoint = await Checkpoint.open(
      files,
      newState({ url: api.url, tenantId: id, reading: 'dialogues' }),
    );
    const importer = new Importer(new TranscriptSender(api, { patienceMs: 60_000 }), checkpoint, {
      format: 'dialogues',
      channel: 'web',
      labels,
      concurrency: 16,
      signal: new AbortController().signal,
      onLine,
      onRejected: (line, reason) => {
        throw new Error(`line ${line}: ${reason}`);
      },
    });
    await importer.run(readLines(file));
    return checkpoint.current.accepted;
  }

  /** Waits until this many transcripts of the tenant are stored. */
  async stored({ api }: LabTenant, count: number): Promise<void> {
    for (;;) {
      let found = 0;
      for (let cursor: string | null = ''; cursor !== null;) {
        const path: string = `/v1/transcripts?limit=200&status=stored${cursor && `&cursor=${encodeURIComponent(cursor)}`}`;
        const { data, nextCursor } = await api.call('GET', path, (body) => page.parse(body));
        found += data.length;
        cursor = nextCursor;
      }
      if (found >= count) return;
      await delay(250);
    }
  }

  async close(): Promise<void> {
    await this.inside.close();
    await this.service.kill('SIGTERM');
    await rm(this.dir, { recursive: true, force: true });
  }
}
