// npm run bench:journal: appends to a journal from one client and from 100 at once, and at a steady rate, beside a bare write and
// fdatasync for each record, in turns in one run. The disk sets the figures: compare within one run.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { wholeNumber } from '../scripts/verify/options.js';
import { openBare, openJournal, type Contestant } from './journal/contestants.js';
import { bursts, closedLoop, measure, openLoop, type Outcome } from './journal/loads.js';
import { figure, renderTable } from './store/table.js';

interface Options {
  records: number;
  bytes: number;
  rounds: number;
  rate: number;
  clients: number;
  dir: string;
}

interface Row {
  load: string;
  way: string;
  outcome: Outcome;
}

async function run(
  options: Options,
  openOne: (bytes: number, dir: string) => Promise<Contestant>,
  load: (contestant: Contestant) => Promise<number[]>,
): Promise<Outcome> {
  const dir = await mkdtemp(join(options.dir, 'bench-journal-'));
  const contestant = await openOne(options.bytes, dir);
  try {
    return await measure(contestant, () => load(contestant));
  } finally {
    await contestant.close();
    await rm(dir, { recursive: true });
  }
}

async function round(options: Options): Promise<Row[]> {
  const { records, clients, rate } = options;
  const few = Math.ceil(records / 10);
  const rows: Row[] = [];
  const bare = async (): Promise<void> => {
    const outcome = await run(options, openBare, ({ append }) => closedLoop(append, 1, few));
    rows.push({ load: 'one client', way: 'write + fdatasync', outcome });
  };
  const journal = async (load: string, work: (append: Contestant['append']) => Promise<number[]>) => {
    const outcome = await run(options, openJournal, ({ append }) => work(append));
    rows.push({ load, way: 'journal', outcome });
  };
  await bare();
  await journal('one client', (append) => closedLoop(append, 1, few));
  await journal(`${clients} clients, closed loop`, (append) => closedLoop(append, clients, records));
  await bare();
  await journal(`bursts of ${clients}`, (append) => bursts(append, clients, records));
  await journal(`${rate} a second, open loop`, (append) => openLoop(append, rate, records));
  return rows;
}

async function bench(options: Options): Promise<void> {
  const cells: string[][] = [];
  for (let count = 1; count <= options.rounds; count++) {
    const rows = await round(options);
    const bare = rows.filter(({ way }) => way !== 'journal');
    const bareP99 = bare.reduce((sum, { outcome }) => sum + outcome.p99, 0) / bare.length;
    for (const { load, way, outcome } of rows) {
      const { perSecond, p50, p99, max, perSync } = outcome;
      const ratio = way === 'journal' ? (p99 / bareP99).toFixed(2) : '';
      cells.push([
        load,
        way,
        figure(perSecond),
        figure(p50),
        figure(p99),
        figure(max),
        perSync.toFixed(1),
        ratio,
      ]);
    }
  }
  const heads = [
    'load',
    'way',
    'appends/s',
    'p50 ms',
    'p99 ms',
    'max ms',
    'records per sync',
    'p99 of bare p99',
  ];
  process.stdout.write(
    `${options.records} records of ${options.bytes} bytes (a tenth of them with one client), ${options.rounds} rounds\n\n` +
      renderTable(heads, cells),
  );
}

await new Command('bench:journal')
  .description('Appends to the journal, beside a bare write and fdatasync for each record.')
  .option('--records <n>', 'records with many clients', wholeNumber, 10_000)
  .option('--bytes <n>', 'bytes of a record', wholeNumber, 4096)
  .option('--rounds <n>', 'times that each is measured', wholeNumber, 3)
  .option('--rate <n>', 'appends a second of the open loop', wholeNumber, 2000)
  .option('--clients <n>', 'clients at once', wholeNumber, 100)
  .option('--dir <path>', 'folder on the disk to measure', tmpdir())
  .action((options: Options) => bench(options))
  .parseAsync();
