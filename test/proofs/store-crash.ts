// npm run verify -- store-crash --rounds 50: kills the process of the embedded store with SIGKILL at random
// moments while transactions and plain writes are running, reopens the store, and checks each time that
// everything acknowledged is stored completely.
import { join } from 'node:path';
import { killProofCommand, sayProblems } from '../support/kill-rounds.js';
import { isCleanRound, runStoreCrashRounds, type StoreCrashRound } from './store/store-crash-rounds.js';

const main = join(import.meta.dirname, 'store', 'store-child.js');

function summaryOf(rounds: readonly StoreCrashRound[]): string {
  const sum = (pick: (round: StoreCrashRound) => number): number =>
    rounds.reduce((total, round) => total + pick(round), 0);
  const times = rounds.map(({ reopenMs }) => reopenMs).sort((a, b) => a - b);
  const time = (at: number | undefined): string => `${(at ?? NaN).toFixed(1)} ms`;
  return (
    `${rounds.length} kills, ${sum(({ committed }) => committed)} committed transactions, ` +
    `${sum(({ written }) => written)} other acknowledged writes: none may be lost or stored in part; ` +
    `reopened in ${time(times[0])} (minimum), ${time(times[times.length >> 1])} (median), ${time(times.at(-1))} (maximum).`
  );
}

await killProofCommand<StoreCrashRound>({
  name: 'store-crash',
  description:
    'Kills the embedded store at random moments under load and checks that everything acknowledged is stored.',
  rounds: 50,
  heads: ['round', 'killed after', 'committed', 'written', 'retried', 'problems', 'reopened in'],
  cellsOf: (round) => [
    round.round,
    `${round.killedAfterMs} ms`,
    round.committed,
    round.written,
    round.askedAgain,
    round.problems.length,
    `${round.reopenMs.toFixed(1)} ms`,
  ],
  run: async (options) => {
    const rounds = await runStoreCrashRounds({ ...options, main });
    sayProblems(rounds);
    return { isClean: rounds.every(isCleanRound), summary: summaryOf(rounds) };
  },
});
