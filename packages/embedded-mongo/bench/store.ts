// npm run bench -w packages/embedded-mongo: runs the same driver calls against the embedded store, against a
// server without a database that replies immediately (the limit of the driver) and, with --mongodb-uri,
// against that server, one after the other, and prints percentiles. Figures depend on the machine and its
// load: compare only within one run.
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Command, InvalidArgumentError } from 'commander';
import { MongoClient } from 'mongodb';
import { EmbeddedMongo } from '../src/index.js';
import { measure, type Measurement } from './measure.js';
import { BenchDatabase, type Scenario, scenarios } from './scenarios.js';
import { figure, renderTable } from './table.js';

interface Target {
  name: string;
  database: BenchDatabase;
  close(): Promise<void>;
}

interface Row {
  scenario: Scenario;
  clients: number;
  /** Results in the order of the targets. */
  results: Measurement[];
}

const connect = async (name: string, uri: string, closeStore: () => Promise<void>): Promise<Target> => {
  const client = await MongoClient.connect(uri, { maxPoolSize: 100 });
  const database = new BenchDatabase(client, `bench_${process.pid}`);
  return {
    name,
    database,
    async close() {
      await client.db(database.name).dropDatabase();
      await client.close();
      await closeStore();
    },
  };
};

async function openTargets(dir: string, uri: string | undefined): Promise<Target[]> {
  const store = await EmbeddedMongo.open({ dir });
  const targets = [await connect('embedded', store.uri, () => store.close())];
  const nullServer = new Worker(new URL('./null-server.js', import.meta.url));
  const [nullUri] = (await once(nullServer, 'message')) as [string];
  targets.push(await connect('no database', nullUri, async () => void (await nullServer.terminate())));
  if (uri !== undefined) targets.push(await connect('MongoDB', uri, () => Promise.resolve()));
  return targets;
}

const heads = [
  '',
  'clients',
  'target',
  'per second',
  'p50 ms',
  'p95 ms',
  'p99 ms',
  'max ms',
  'cpu us',
  'goal',
  'ratio',
];

/** Returns one line per target. `ratio` is the rate of the embedded store divided by that of the target. */
const cellsOf = (row: Row, targets: readonly Target[]): string[][] =>
  row.results.map((result, i) => {
    const mark = row.scenario.marks?.[row.clients];
    const [embedded] = row.results;
    return [
      i === 0 ? row.scenario.name : '',
      i === 0 ? String(row.clients) : '',
      targets[i]?.name ?? '',
      figure(result.perSecond),
      figure(result.p50),
      figure(result.p95),
      figure(result.p99),
      figure(result.max),
      figure(result.cpuPerUnit),
      i === 0 && mark !== undefined ? `${figure(mark)} ${result.perSecond >= mark ? 'met' : 'missed'}` : '',
      i > 0 && embedded ? figure(embedded.perSecond / result.perSecond) : '',
    ];
  });

async function bench(options: { seconds: number; only?: string; mongodbUri?: string }): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'embedded-mongo-bench-'));
  const targets = await openTargets(dir, options.mongodbUri);
  const rows: Row[] = [];
  try {
    for (const scenario of scenarios) {
      if (options.only !== undefined && !scenario.name.includes(options.only)) continue;
      for (const clients of scenario.clients) {
        const row: Row = { scenario, clients, results: [] };
        for (const { database } of targets) {
          const work = await scenario.prepare(database);
          row.results.push(
            await measure(work, {
              clients,
              unitsPerCall: scenario.unitsPerCall,
              warmUpMs: options.seconds * 300,
              measureMs: options.seconds * 1_000,
            }),
          );
        }
        rows.push(row);
        process.stderr.write(
          `${scenario.name}, ${clients} clients: ${figure(row.results[0]?.perSecond ?? NaN)}/s\n`,
        );
      }
    }
  } finally {
    for (const target of targets) await target.close();
    await rm(dir, { recursive: true, force: true });
  }
  const [cpu] = cpus();
  process.stdout.write(
    `Node.js ${process.version}, ${cpus().length} x ${cpu?.model ?? 'unknown processor'}\n\n`,
  );
  process.stdout.write(
    renderTable(
      heads,
      rows.flatMap((row) => cellsOf(row, targets)),
    ),
  );
}

const positive = (value: string): number => {
  const number = Number(value);
  if (!(number > 0)) throw new InvalidArgumentError('It must be a number above 0.');
  return number;
};

await new Command('npm run bench -w packages/embedded-mongo --')
  .description('Measures driver calls to the embedded store and, for comparison, to a MongoDB server.')
  .option('--seconds <n>', 'duration of each measurement', positive, 4)
  .option('--only <text>', 'only run scenarios whose name contains this text')
  .option('--mongodb-uri <uri>', 'a MongoDB server for comparison')
  .action(bench)
  .parseAsync();
