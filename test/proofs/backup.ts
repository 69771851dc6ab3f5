// npm run verify -- backup --rounds 50: kills backups of a service under load, and their restores, with SIGKILL at
// random moments. After each kill it checks that every backup is whole, and that a repeated restore has everything
// that was acknowledged before the backup began.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { killProofCommand, sayProblems } from '../support/kill-rounds.js';
import { type BackupRound, runBackupRounds } from './backup/rounds.js';

const dist = join(import.meta.dirname, '..', '..');

const yesOrNo = (is: boolean): string => (is ? 'yes' : 'no');

await killProofCommand<BackupRound>({
  name: 'backup',
  description:
    'Kills encrypted backups and their restores, and checks that nothing incomplete is taken for whole.',
  rounds: 50,
  heads: ['round', 'backup killed', 'complete', 'restore killed', 'complete', 'acked', 'problems'],
  cellsOf: (round) => [
    round.round,
    `${round.backupKilledAfterMs} ms`,
    yesOrNo(round.isBackupThere),
    `${round.restoreKilledAfterMs} ms`,
    yesOrNo(round.isRestoreThere),
    round.acked,
    round.problems.length,
  ],
  run: async (options) => {
    const backupKey = randomBytes(32).toString('base64');
    const rounds = await runBackupRounds({ ...options, dist, backupKey });
    sayProblems(rounds);
    return {
      isClean: rounds.every(({ problems }) => problems.length === 0),
      summary: `${rounds.length} kills of a backup and ${rounds.length} of a restore: every backup must be whole, and every repeated restore must have everything.`,
    };
  },
});
