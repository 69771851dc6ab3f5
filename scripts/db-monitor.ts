// npm run db:monitor: shows live what the database is doing: connections, operations per second, cache,
// storage and index sizes, alerts. It only reads, from the store of a running service with the same DATA_DIR
// or from MONGODB_URI.
import 'reflect-metadata';
import { setTimeout as delay } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import { abortOnShutdownSignal, explainFailure } from '../src/bootstrap/index.js';
import { readServer, readStorage } from './db/reading.js';
import { alertsOf, ratesBetween, renderSample, type Sample } from './db/sample.js';
import { openStoreClient, type StoreClient } from './db/store-client.js';

interface Options {
  interval: number;
  once?: boolean;
  json?: boolean;
}

/** Sizes change slowly and are more expensive to read than the counters. */
const STORAGE_EVERY_MS = 10_000;
const CLEAR = '\u001b[H\u001b[J';

function seconds(text: string): number {
  const value = Number(text);
  if (!(value >= 0.1 && value <= 3600)) throw new InvalidArgumentError('It must be between 0.1 and 3600.');
  return value;
}

/** Yields a sample every `interval` seconds until `signal`, the first one after the first interval. */
async function* samples(
  { client, db, dir }: StoreClient,
  interval: number,
  signal: AbortSignal,
): AsyncGenerator<Sample> {
  let before = await readServer(client);
  let storage = await readStorage(db, dir);
  let storageAt = Date.now();
  for (;;) {
    await delay(interval * 1000, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    const now = await readServer(client);
    if (Date.now() - storageAt >= STORAGE_EVERY_MS) {
      storage = await readStorage(db, dir);
      storageAt = Date.now();
    }
    const rates = ratesBetween(before, now);
    yield { now, storage, ...(rates && { rates }) };
    before = now;
  }
}

async function monitor({ interval, once = false, json = false }: Options): Promise<void> {
  const signal = abortOnShutdownSignal();
  const store = await openStoreClient('colloquy db:monitor');
  const redraws = process.stdout.isTTY && !once && !json;
  try {
    for await (const sample of samples(store, interval, signal)) {
      const text = json
        ? `${JSON.stringify({ ...sample, alerts: alertsOf(sample) })}\n`
        : renderSample(store.title, sample);
      process.stdout.write(redraws ? `${CLEAR}${text}` : text);
      if (once) return;
      if (!redraws && !json) process.stdout.write('\n');
    }
  } finally {
    await store.close();
  }
}

await new Command('db-monitor')
  .description(
    'Shows live what the database is doing: connections, operations per second, cache, sizes, alerts.',
  )
  .option('--interval <seconds>', 'seconds between two readings', seconds, 2)
  .option('--once', 'print one sample of two readings, then exit')
  .option('--json', 'print each sample as one line of JSON')
  .action(async (options: Options) => {
    try {
      await monitor(options);
    } catch (error) {
      process.stderr.write(`${explainFailure(error)}\n`);
      process.exitCode = 1;
    }
  })
  .parseAsync();
