// npm run db:analyze: profiles the database for a while, then prints the slowest shapes of queries, whether each used an index, and an
// index that would help. It works beside a running service, with its DATA_DIR or MONGODB_URI.
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
    if (!(value >= min && value <= max)) throw new InvalidArgumentError(`It must be ${min} to ${max}.`);
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
      `${store.title}: profiling for ${seconds} s (Ctrl-C ends it and shows what there is)\n`,
    );
    const summary = new ProfileSummary();
    const overruns = await profile(store.db, { seconds, slowMs, signal, appName: APP_NAME }, (entry) => {
      summary.add(entry);
    });
    process.stdout.write(renderProfile(summary, await indexesOf(store), top));
    if (overruns > 0)
      process.stdout.write(
        `The profile ran over ${overruns} times: counts are low. A higher --slow-ms keeps fewer operations.\n`,
      );
  } finally {
    await store.close();
  }
}

await new Command('db-analyze')
  .description(
    'Profiles the database for a while and prints the slowest shapes, with indexes that would help.',
  )
  .option('--seconds <seconds>', 'for how long', between(0.1, 86_400), 30)
  .option(
    '--slow-ms <ms>',
    'only operations of at least this many milliseconds; 0: all',
    between(0, 60_000),
    0,
  )
  .option('--top <count>', 'shapes that are shown', between(1, 1000), 15)
  .action(async (options: Options) => {
    try {
      await analyze(options);
    } catch (error) {
      process.stderr.write(`${explainFailure(error)}\n`);
      process.exitCode = 1;
    }
  })
  .parseAsync();
