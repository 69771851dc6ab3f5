// npm run db:indexes: creates every collection and index that the modules declare, and prints them with
// counts and sizes. It uses the store of a running service with the same DATA_DIR, and is safe to run
// repeatedly.
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { Command } from 'commander';
import { AppModule } from '../src/app.module.js';
import { explainFailure } from '../src/bootstrap/index.js';
import { settingsFromEnvironment } from '../src/config/index.js';
import { DatabaseService, IndexManager } from '../src/database/index.js';
import { createLogger, NestLogger } from '../src/logging/index.js';
import { renderIndexReport } from '../src/cli/index.js';

async function ensureIndexes(): Promise<void> {
  const settings = settingsFromEnvironment();
  const logger = createLogger({ level: 'warn', pretty: process.stdout.isTTY });
  const app = await NestFactory.createApplicationContext(
    AppModule.forRoot(settings, { logger, role: 'tool' }),
    { logger: new NestLogger(logger), abortOnError: false },
  );
  try {
    const { kind, uri, database } = app.get(DatabaseService).stats();
    process.stdout.write(`Database "${database}" of ${kind === 'embedded' ? 'the embedded store' : uri}\n\n`);
    process.stdout.write(renderIndexReport(await app.get(IndexManager).ensure()));
  } finally {
    await app.close();
  }
}

await new Command('db-indexes')
  .description('Creates all collections and indexes, and prints them with counts and sizes.')
  .action(async () => {
    try {
      await ensureIndexes();
    } catch (error) {
      process.stderr.write(`${explainFailure(error)}\n`);
      // What a start that failed has opened would keep the process running.
      process.exit(1);
    }
  })
  .parseAsync();
