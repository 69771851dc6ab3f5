// npm run verify -- crash --rounds 20: kills the built service with SIGKILL at random moments under load.
// After each kill it checks that every acknowledged message is stored once and in order, with consistent
// counters and session state.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { type CrashRound, isClean, problemsOf, runCrashRounds } from './crash/rounds.js';
import { wholeNumber } from '../support/options.js';

const main = join(import.meta.dirname, '..', '..', 'src', 'main.js');

const heads = [
  'round',
  'killed after',
  'acked',
  'found',
  'lost',
  'duplicated',
  'torn',
  'repeated',
  'reopened in',
];

const renderRow = (cells: readonly string[]): string =>
  `${cells.map((cell, column) => cell.padStart(Math.max(heads[column]?.length ?? 0, 6))).join('  ')}\n`;

const renderRound = (round: CrashRound): string =>
  renderRow([
    String(round.round),
    round.killedAfter,
    String(round.acked),
    String(round.found),
    String(problemsOf(round, 'lost')),
    String(problemsOf(round, 'duplicated')),
    String(problemsOf(round, 'torn')),
    String(round.retried),
    `${Math.round(round.reopenMs)} ms`,
  ]);

async function verify(rounds: number, seed: number): Promise<boolean> {
  const cwd = await mkdtemp(join(tmpdir(), 'colloquy-crash-'));
  process.stdout.write(`seed ${seed}\n${renderRow(heads)}`);
  try {
    const results = await runCrashRounds({
      rounds,
      seed,
      main,
      cwd,
      dataDir: join(cwd, 'data'),
      onRound: (round) => process.stdout.write(renderRound(round)),
    });
    for (const { round, problems, refused } of results) {
      for (const { kind, text } of problems) process.stdout.write(`round ${round}, ${kind}: ${text}\n`);
      for (const [code, count] of refused) process.stdout.write(`round ${round}: ${count} x ${code}\n`);
    }
    const acked = results.reduce((sum, round) => sum + round.acked, 0);
    const clean = results.every(isClean);
    process.stdout.write(
      `${rounds} kills, ${acked} acknowledged messages: ${clean ? 'each is stored once' : 'FAILED, see the problems above'}.\n`,
    );
    return clean;
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
}

await new Command('npm run verify -- crash')
  .description(
    'Kills the service at random moments under load and checks that everything acknowledged is stored.',
  )
  .option('--rounds <count>', 'number of kills', wholeNumber, 20)
  .option('--seed <number>', 'seed for the moments of the kills (default: random)', wholeNumber)
  .action(
    async ({ rounds, seed = Math.floor(Math.random() * 2 ** 32) }: { rounds: number; seed?: number }) => {
      process.exitCode = (await verify(rounds, seed)) ? 0 : 1;
    },
  )
  .parseAsync();
