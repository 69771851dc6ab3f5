// npm run bench:journal: appends to a journal at 1 and 100 appenders at once, beside a bare write and fdatasync for each record, in
// turns in one run. The disk sets the figures: compare within one run.
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { wholeNumber } from '../scripts/verify/options.js';
import { Journal } from '../src/journal/index.js';
import { renderTable } from './store/table.js';

interface Options {
  records: number;
  bytes: number;
  rounds: number;
  dir: string;
}

interface Outcome {
  perSecond: number;
  p50: number;
  p99: number;
  perSync: number;
}

interface Contestant {
  append: () => Promise<unknown>;
  /** Calls of fdatasync so far. */
  syncs: () => number;
  close: () => Promise<void>;
}

async function openJournal({ bytes }: Options, dir: string): Promise<Contestant> {
  const journal = await Journal.open({ dir });
  const record = Buffer.alloc(bytes, 'r');
  let isMoving = true;
  const moved = (async () => {
    while (isMoving) {
      const batch = await journal.take(1000, 8 * 1024 * 1024);
      if (batch) await batch.done();
      else await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  return {
    append: () => journal.append(record),
    syncs: () => journal.stats().syncs,
    close: async () => {
      isMoving = false;
      await moved;
      await journal.close();
    },
  };
}

async function openBare({ bytes }: Options, dir: string): Promise<Contestant> {
  const handle = await open(join(dir, 'bare'), 'w');
  const record = Buffer.alloc(bytes, 'r');
  let count = 0;
  return {
    append: async () => {
      await handle.write(record, 0, bytes, count++ * bytes);
      await handle.datasync();
    },
    syncs: () => count,
    close: () => handle.close(),
  };
}

async function measure(contestant: Contestant, appenders: number, records: number): Promise<Outcome> {
  const times: number[] = [];
  let left = records;
  const syncsBefore = contestant.syncs();
  const start = performance.now();
  const work = async (): Promise<void> => {
    while (left-- > 0) {
      const begin = performance.now();
      await contestant.append();
      times.push(performance.now() - begin);
    }
  };
  await Promise.all(Array.from({ length: appenders }, work));
  const seconds = (performance.now() - start) / 1000;
  times.sort((a, b) => a - b);
  const at = (p: number): number => times[Math.min(times.length - 1, Math.floor(times.length * p))] ?? 0;
  return {
    perSecond: records / seconds,
    p50: at(0.5),
    p99: at(0.99),
    perSync: records / Math.max(1, contestant.syncs() - syncsBefore),
  };
}

const contestants = { journal: openJournal, 'write + fdatasync each': openBare };

async function bench(options: Options): Promise<void> {
  const rows: string[][] = [];
  for (let round = 1; round <= options.rounds; round++) {
    for (const appenders of [1, 100]) {
      for (const [name, openOne] of Object.entries(contestants)) {
        const dir = await mkdtemp(join(options.dir, 'bench-journal-'));
        const contestant = await openOne(options, dir);
        const records = appenders === 1 ? Math.ceil(options.records / 10) : options.records;
        const { perSecond, p50, p99, perSync } = await measure(contestant, appenders, records);
        await contestant.close();
        await rm(dir, { recursive: true });
        rows.push([
          String(round),
          String(appenders),
          name,
          Math.round(perSecond).toLocaleString('en-US'),
          p50.toFixed(2),
          p99.toFixed(2),
          perSync.toFixed(1),
        ]);
      }
    }
  }
  process.stdout.write(
    `${options.records} records of ${options.bytes} bytes (a tenth of them with one appender)\n\n` +
      renderTable(['round', 'appenders', 'way', 'appends/s', 'p50 ms', 'p99 ms', 'records per sync'], rows),
  );
}

await new Command('bench:journal')
  .description('Appends to the journal, beside a bare write and fdatasync for each record.')
  .option('--records <n>', 'records with 100 appenders', wholeNumber, 10_000)
  .option('--bytes <n>', 'bytes of a record', wholeNumber, 4096)
  .option('--rounds <n>', 'times that each is measured', wholeNumber, 3)
  .option('--dir <path>', 'folder on the disk to measure', tmpdir())
  .action((options: Options) => bench(options))
  .parseAsync();
