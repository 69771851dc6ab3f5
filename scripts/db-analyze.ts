// npm run db:analyze: profiles the database for a while, then prints the slowest query shapes, whether each
// used an index, and indexes that would help. It can run next to a running service, with its DATA_DIR or
// MONGODB_URI.
import 'reflect-metadata';
import { Command, InvalidArgumentError } from 'commander';
import { abortOnShutdownSignal, explainFailure } from '../src/bootstrap/index.js';
import { ProfileSummary, renderProfile } from './db/profile-summary.js';
import { profile } from './db/profiler.js';
import { openStoreClient, type StoreClient } from './db/store-client.js';

interface Options {
  seconds: number;
  slowMs: number;
  top: number;
}

const APP_NAME = 'colloquy db:analyze';

const between =
  (min: number, max: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!(value >= min && value <= max))
      throw new InvalidArgumentError(`It must be between ${min} and ${max}.`);
    return value;
  };

async function indexesOf({ db }: StoreClient): Promise<Map<string, Record<string, unknown>[]>> {
  const indexes = new Map<string, Record<string, unknown>[]>();
  for (const { name } of await db.listCollections({ type: 'collection' }, { nameOnly: true }).toArray()) {
    const found = await db.collection(name).indexes();
    indexes.set(
      `${db.databaseName}.${name}`,
      found.map(({ key }) => Object.fromEntries(Object.entries(key))),
    );
  }
  return indexes;
}

async function analyze({ seconds, slowMs, top }: Options): Promise<void> {
  const signal = abortOnShutdownSignal();
  const store = await openStoreClient(APP_NAME);
  try {
    process.stderr.write(
      `${store.title}: profiling for ${seconds} s (Ctrl-C stops it and shows the result so far)\n`,
    );
    const summary = new ProfileSummary();
    const overruns = await profile(store.db, { seconds, slowMs, signal, appName: APP_NAME }, (entry) => {
      summary.add(entry);
    });
    process.stdout.write(renderProfile(summary, await indexesOf(store), top));
    if (overruns > 0)
      process.stdout.write(
        `The profile overflowed ${overruns} times, so counts are too low. A higher --slow-ms records fewer operations.\n`,
      );
  } finally {
    await store.close();
  }
}

await new Command('db-analyze')
  .description(
    'Profiles the database for a while and prints the slowest query shapes, with indexes that would help.',
  )
  .option('--seconds <seconds>', 'duration of the profile', between(0.1, 86_400), 30)
  .option(
    '--slow-ms <ms>',
    'only record operations that take at least this many milliseconds; 0: all',
    between(0, 60_000),
    0,
  )
  .option('--top <count>', 'number of shapes to show', between(1, 1000), 15)
  .action(async (options: Options) => {
    try {
      await analyze(options);
    } catch (error) {
      process.stderr.write(`${explainFailure(error)}\n`);
      process.exitCode = 1;
    }
  })
  .parseAsync();
