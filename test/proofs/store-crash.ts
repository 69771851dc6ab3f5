// npm run verify -- store-crash --rounds 50: kills the process of the embedded store with SIGKILL at random
// moments while transactions and plain writes are running, reopens the store, and checks each time that
// everything acknowledged is stored completely.
import { join } from 'node:path';
import { Command } from 'commander';
import { wholeNumber } from '../support/options.js';
import { isCleanRound, runStoreCrashRounds, type StoreCrashRound } from './store/store-crash-rounds.js';

const main = join(import.meta.dirname, 'store', 'store-child.js');

const heads = ['round', 'killed after', 'committed', 'written', 'retried', 'problems', 'reopened in'];

const renderRow = (cells: readonly string[]): string =>
  `${cells.map((cell, column) => cell.padStart(Math.max(heads[column]?.length ?? 0, 6))).join('  ')}\n`;

const renderRound = (round: StoreCrashRound): string =>
  renderRow([
    String(round.round),
    `${round.killedAfterMs} ms`,
    String(round.committed),
    String(round.written),
    String(round.askedAgain),
    String(round.problems.length),
    `${round.reopenMs.toFixed(1)} ms`,
  ]);

function renderSummary(rounds: readonly StoreCrashRound[]): string {
  const sum = (pick: (round: StoreCrashRound) => number): number =>
    rounds.reduce((total, round) => total + pick(round), 0);
  const times = rounds.map(({ reopenMs }) => reopenMs).sort((a, b) => a - b);
  const time = (at: number | undefined): string => `${(at ?? NaN).toFixed(1)} ms`;
  return (
    `${rounds.length} kills, ${sum(({ committed }) => committed)} committed transactions, ` +
    `${sum(({ written }) => written)} other acknowledged writes: ` +
    `${rounds.every(isCleanRound) ? 'none lost, none stored in part' : 'FAILED, see the problems above'}; ` +
    `reopened in ${time(times[0])} (minimum), ${time(times[times.length >> 1])} (median), ${time(times.at(-1))} (maximum).\n`
  );
}

async function verify(rounds: number, seed: number): Promise<boolean> {
  process.stdout.write(`seed ${seed}\n${renderRow(heads)}`);
  const results = await runStoreCrashRounds({
    rounds,
    seed,
    main,
    onRound: (round) => process.stdout.write(renderRound(round)),
  });
  for (const { round, problems, refused } of results) {
    for (const { kind, text } of problems) process.stdout.write(`round ${round}, ${kind}: ${text}\n`);
    for (const [name, count] of refused) process.stdout.write(`round ${round}: ${count} x ${name}\n`);
  }
  process.stdout.write(renderSummary(results));
  return results.every(isCleanRound);
}

await new Command('npm run verify -- store-crash')
  .description(
    'Kills the embedded store at random moments under load and checks that everything acknowledged is stored.',
  )
  .option('--rounds <count>', 'number of kills', wholeNumber, 50)
  .option('--seed <number>', 'seed for the moments of the kills (default: random)', wholeNumber)
  .action(
    async ({ rounds, seed = Math.floor(Math.random() * 2 ** 32) }: { rounds: number; seed?: number }) => {
      process.exitCode = (await verify(rounds, seed)) ? 0 : 1;
    },
  )
  .parseAsync();
