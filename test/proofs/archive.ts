// npm run verify -- archive --rounds 50: kills a process with SIGKILL at random moments while it archives or
// restores. After each kill it checks that every document is in the database or in a verified archive, exactly
// as it was.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { wholeNumber } from '../support/options.js';
import {
  type ArchiveCrashResult,
  type ArchiveCrashRound,
  isClean,
  runArchiveCrashRounds,
} from './archive/rounds.js';

const main = join(import.meta.dirname, 'archive', 'archive-child.js');

const heads = ['round', 'work', 'killed after', 'in database', 'in archives', 'in both', 'lost'];

const renderRow = (cells: readonly string[]): string =>
  `${cells.map((cell, column) => cell.padStart(Math.max(heads[column]?.length ?? 0, 7))).join('  ')}\n`;

const renderRound = ({ round, work, killedAfterMs, ...counts }: ArchiveCrashRound): string =>
  renderRow([
    String(round),
    work,
    killedAfterMs === null ? 'its end' : `${killedAfterMs} ms`,
    ...[counts.inDatabase, counts.inArchives, counts.inBoth, counts.lost].map(String),
  ]);

const failures = ({ notArchived, notRestored }: ArchiveCrashResult): string =>
  JSON.stringify({ notArchived, notRestored });

async function verify(rounds: number, seed: number): Promise<boolean> {
  const cwd = await mkdtemp(join(tmpdir(), 'colloquy-archive-'));
  process.stdout.write(`seed ${seed}\n${renderRow(heads)}`);
  try {
    const result = await runArchiveCrashRounds({
      rounds,
      seed,
      main,
      cwd,
      onRound: (round) => process.stdout.write(renderRound(round)),
    });
    process.stdout.write(
      `${rounds} kills, ${result.documents} documents: ` +
        `${isClean(result) ? 'none was lost or changed; in the end all were archived and all restored' : `FAILED: ${failures(result)}`}.\n`,
    );
    return isClean(result);
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
}

await new Command('npm run verify -- archive')
  .description(
    'Kills a process while it archives or restores, and checks that no document is lost or changed.',
  )
  .option('--rounds <count>', 'number of kills', wholeNumber, 50)
  .option('--seed <number>', 'seed for the moments of the kills (default: random)', wholeNumber)
  .action(
    async ({ rounds, seed = Math.floor(Math.random() * 2 ** 32) }: { rounds: number; seed?: number }) => {
      process.exitCode = (await verify(rounds, seed)) ? 0 : 1;
    },
  )
  .parseAsync();
