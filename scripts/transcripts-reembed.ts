// npm run transcripts:reembed: gives transcripts whose vector is from another model a new vector from the
// configured embedder. It works whether or not the service is running, with its DATA_DIR or MONGODB_URI. It
// can be stopped at any time and continues where it stopped.
import 'reflect-metadata';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Command, InvalidArgumentError } from 'commander';
import { AppModule } from '../src/app.module.js';
import { abortOnShutdownSignal, explainFailure } from '../src/bootstrap/index.js';
import { Progress } from '../src/cli/index.js';
import { settingsFromEnvironment } from '../src/config/index.js';
import { DatabaseService, IndexManager } from '../src/database/index.js';
import { createLogger, NestLogger } from '../src/logging/index.js';
import { EmbeddingError } from '../src/search/index.js';
import { TranscriptReembedder } from '../src/transcript/index.js';

interface Options {
  batchSize: number;
  dryRun?: boolean;
}

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const number = (value: number): string => value.toLocaleString('en-US');

function batchSize(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 1000)
    throw new InvalidArgumentError('It must be a whole number from 1 to 1000.');
  return value;
}

async function open(): Promise<INestApplicationContext> {
  const settings = settingsFromEnvironment();
  const logger = createLogger({ level: 'warn', pretty: process.stdout.isTTY });
  return NestFactory.createApplicationContext(AppModule.forRoot(settings, { logger, role: 'tool' }), {
    logger: new NestLogger(logger),
    abortOnError: false,
  });
}

async function count(reembedder: TranscriptReembedder): Promise<number> {
  const models = new Map<string, { transcripts: number; tenants: number }>();
  let all = 0;
  for await (const { model, transcripts } of reembedder.outdated()) {
    const sum = models.get(model) ?? { transcripts: 0, tenants: 0 };
    models.set(model, { transcripts: sum.transcripts + transcripts, tenants: sum.tenants + 1 });
    all += transcripts;
  }
  for (const [model, { transcripts, tenants }] of models)
    say(
      `${number(transcripts)} transcripts of ${number(tenants)} ${tenants === 1 ? 'tenant' : 'tenants'} have vectors from ${model}`,
    );
  return all;
}

async function reembed({ batchSize: size, dryRun }: Options, signal: AbortSignal): Promise<boolean> {
  const app = await open();
  try {
    await app.get(IndexManager).prepare(app.get(DatabaseService).storeHandle.kind);
    const reembedder = app.get(TranscriptReembedder);
    const outdated = await count(reembedder);
    if (outdated === 0) say(`All vectors are from ${reembedder.model}.`);
    if (outdated === 0 || dryRun) return true;
    const progress = new Progress(`to ${reembedder.model}`, outdated, process.stderr);
    const result = await reembedder
      .run({
        batchSize: size,
        signal,
        onProgress: (transcripts) => {
          progress.advance(transcripts);
        },
        onRejected: (tenantId, id, error) => {
          process.stderr.write(`${tenantId}/${id}: ${error.message}\n`);
        },
      })
      .finally(() => {
        progress.finish();
      });
    const { reembedded, skipped, rejected, isWhole } = result;
    say(
      `${number(reembedded)} re-embedded, ${number(skipped)} skipped because they changed, ${number(rejected)} rejected`,
    );
    if (!isWhole) say('Stopped before everything was done. The same command continues.');
    return isWhole && rejected === 0;
  } finally {
    await app.close();
  }
}

await new Command('transcripts-reembed')
  .description('Re-embeds transcripts whose vector is from another model than the configured one.')
  .option(
    '--batch-size <count>',
    'number of transcripts that are embedded and written together',
    batchSize,
    64,
  )
  .option('--dry-run', 'only report how many transcripts would be re-embedded')
  .action(async (options: Options) => {
    try {
      process.exitCode = (await reembed(options, abortOnShutdownSignal())) ? 0 : 1;
    } catch (error) {
      const message =
        error instanceof EmbeddingError
          ? `${error.message} Transcripts that were already re-embedded are kept; the same command continues.`
          : explainFailure(error);
      process.stderr.write(`${message}\n`);
      // What a start that failed has opened would keep the process running.
      process.exit(1);
    }
  })
  .parseAsync();
