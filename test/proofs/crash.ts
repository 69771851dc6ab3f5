// npm run verify -- crash --rounds 20: kills the built service with SIGKILL at random moments under load.
// After each kill it checks that every acknowledged message is stored once and in order, with consistent
// counters and session state.
import { join } from 'node:path';
import { killProofCommand, sayProblems } from '../support/kill-rounds.js';
import { type CrashRound, isClean, problemsOf, runCrashRounds } from './crash/rounds.js';

const main = join(import.meta.dirname, '..', '..', 'src', 'main.js');

await killProofCommand<CrashRound>({
  name: 'crash',
  description:
    'Kills the service at random moments under load and checks that everything acknowledged is stored.',
  rounds: 20,
  heads: ['round', 'killed after', 'acked', 'found', 'lost', 'duplicated', 'torn', 'repeated', 'reopened in'],
  cellsOf: (round) => [
    round.round,
    round.killedAfter,
    round.acked,
    round.found,
    problemsOf(round, 'lost'),
    problemsOf(round, 'duplicated'),
    problemsOf(round, 'torn'),
    round.retried,
    `${Math.round(round.reopenMs)} ms`,
  ],
  run: async (options) => {
    const rounds = await runCrashRounds({ ...options, main, dataDir: join(options.cwd, 'data') });
    sayProblems(rounds);
    const acked = rounds.reduce((sum, round) => sum + round.acked, 0);
    return {
      isClean: rounds.every(isClean),
      summary: `${rounds.length} kills, ${acked} acknowledged messages: each must be stored once.`,
    };
  },
});
