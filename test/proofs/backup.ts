// npm run verify -- backup --rounds 50: kills backups of a service under load, and their restores, with SIGKILL at
// random moments. After each kill it checks that every backup is whole, and that a repeated restore has everything
// that was acknowledged before the backup began.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { type BackupRound, runBackupRounds } from './backup/rounds.js';
import { wholeNumber } from '../support/options.js';

const dist = join(import.meta.dirname, '..', '..');

const heads = ['round', 'backup killed', 'complete', 'restore killed', 'complete', 'acked', 'problems'];

const renderRow = (cells: readonly string[]): string =>
  `${cells.map((cell, column) => cell.padStart(heads[column]?.length ?? 0)).join('  ')}\n`;

const renderRound = (round: BackupRound): string =>
  renderRow([
    String(round.round),
    `${round.backupKilledAfterMs} ms`,
    round.isBackupThere ? 'yes' : 'no',
    `${round.restoreKilledAfterMs} ms`,
    round.isRestoreThere ? 'yes' : 'no',
    String(round.acked),
    String(round.problems.length),
  ]);

async function verify(rounds: number, seed: number, isEncrypted: boolean): Promise<boolean> {
  const cwd = await mkdtemp(join(tmpdir(), 'colloquy-backup-'));
  process.stdout.write(`seed ${seed}\n${renderRow(heads)}`);
  try {
    const results = await runBackupRounds({
      rounds,
      seed,
      dist,
      cwd,
      ...(isEncrypted && { backupKey: randomBytes(32).toString('base64') }),
      onRound: (round) => process.stdout.write(renderRound(round)),
    });
    for (const { round, problems } of results)
      for (const problem of problems) process.stdout.write(`round ${round}: ${problem}\n`);
    const isClean = results.every(({ problems }) => problems.length === 0);
    process.stdout.write(
      `${rounds} kills of a backup and ${rounds} of a restore: ${isClean ? 'every backup is whole, and every repeated restore has everything' : 'FAILED, see the problems above'}.\n`,
    );
    return isClean;
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
}

await new Command('npm run verify -- backup')
  .description(
    'Kills backups and restores at random moments and checks that nothing incomplete is taken for whole.',
  )
  .option('--rounds <count>', 'number of kills of each', wholeNumber, 50)
  .option('--seed <number>', 'seed for the moments of the kills (default: random)', wholeNumber)
  .option('--plain', 'do not encrypt the backups')
  .action(
    async ({
      rounds,
      seed = Math.floor(Math.random() * 2 ** 32),
      plain = false,
    }: {
      rounds: number;
      seed?: number;
      plain?: boolean;
    }) => {
      process.exitCode = (await verify(rounds, seed, !plain)) ? 0 : 1;
    },
  )
  .parseAsync();
