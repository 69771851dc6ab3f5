// npm run verify -- erasure --rounds 50: kills the built service with SIGKILL at random moments of erasures of
// participants. After each kill it restarts the service and checks that the erasure is finished, that no document
// contains anything of the participant, and that everything of the others is there.
import { join } from 'node:path';
import { killProofCommand, sayProblems } from '../support/kill-rounds.js';
import { type ErasureRound, runErasureRounds } from './erasure/rounds.js';

const main = join(import.meta.dirname, '..', '..', 'src', 'main.js');

await killProofCommand<ErasureRound>({
  name: 'erasure',
  description:
    'Kills the service at random moments of erasures and checks that they are finished, and nothing else is lost.',
  rounds: 50,
  heads: ['round', 'killed after', 'reached', 'none pending after', 'problems'],
  cellsOf: ({ round, killedAfterMs, reached, finishedMs, problems }) => [
    round,
    `${killedAfterMs} ms`,
    reached,
    `${Math.round(finishedMs)} ms`,
    problems.length,
  ],
  run: async (options) => {
    const rounds = await runErasureRounds({ ...options, main, dataDir: join(options.cwd, 'data') });
    sayProblems(rounds);
    const count = (reached: ErasureRound['reached']): number =>
      rounds.filter((round) => round.reached === reached).length;
    return {
      isClean: rounds.every(({ problems }) => problems.length === 0),
      summary: `${rounds.length} kills: ${count('nothing')} before the erasure was stored, ${count('interrupted')} during it, ${count('receipt')} after its receipt.`,
    };
  },
});
