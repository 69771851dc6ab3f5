import 'reflect-metadata';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { abortOnShutdownSignal, explainFailure } from './bootstrap/index.js';
import { OperatorError } from './common/index.js';
import { settingsFromEnvironment } from './config/index.js';
import { ProblemError } from './http/index.js';
import { createLogger, NestLogger } from './logging/index.js';

/** Runs work of a command in the application, without an HTTP server and workers, and closes it. */
export async function inApplication<T>(work: (app: INestApplicationContext) => Promise<T>): Promise<T> {
  const settings = settingsFromEnvironment();
  const logger = createLogger({ level: 'warn', pretty: process.stdout.isTTY });
  const app = await NestFactory.createApplicationContext(
    AppModule.forRoot(settings, { logger, role: 'tool' }),
    { logger: new NestLogger(logger), abortOnError: false },
  );
  try {
    return await work(app);
  } finally {
    await app.close();
  }
}

/**
 * Runs a command: the process exits with 0 if it returns true. An error is printed for operators, and the exit
 * code is 1. What the command creates can be read by the owner alone, because it holds the data of tenants.
 * @param command receives a signal that is aborted by Ctrl-C or a stop of the process
 * @param stopped printed if the command ends with an error after that
 */
export async function runCommand(
  command: (signal: AbortSignal) => Promise<boolean>,
  stopped = 'Stopped.',
): Promise<void> {
  process.umask(0o077);
  const signal = abortOnShutdownSignal();
  try {
    process.exitCode = (await command(signal)) ? 0 : 1;
  } catch (error) {
    const isExplained = error instanceof ProblemError || error instanceof OperatorError;
    const explanation = isExplained ? error.message : explainFailure(error);
    process.stderr.write(`${signal.aborted ? stopped : explanation}\n`);
    // What a start that failed has opened would keep the process running.
    process.exit(1);
  }
}
