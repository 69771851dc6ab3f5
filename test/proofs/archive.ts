// npm run verify -- archive --rounds 50: kills a process with SIGKILL at random moments while it archives or
// restores. After each kill it checks that every document is in the database or in a verified archive, exactly
// as it was.
import { join } from 'node:path';
import { killProofCommand } from '../support/kill-rounds.js';
import { type ArchiveCrashRound, isClean, runArchiveCrashRounds } from './archive/rounds.js';

const main = join(import.meta.dirname, 'archive', 'archive-child.js');

await killProofCommand<ArchiveCrashRound>({
  name: 'archive',
  description:
    'Kills a process while it archives or restores, and checks that no document is lost or changed.',
  rounds: 50,
  heads: ['round', 'work', 'killed after', 'in database', 'in archives', 'in both', 'lost'],
  cellsOf: ({ round, work, killedAfterMs, inDatabase, inArchives, inBoth, lost }) => [
    round,
    work,
    killedAfterMs === null ? 'its end' : `${killedAfterMs} ms`,
    inDatabase,
    inArchives,
    inBoth,
    lost,
  ],
  run: async (options) => {
    const result = await runArchiveCrashRounds({ ...options, main });
    const { documents, notArchived, notRestored } = result;
    const end = JSON.stringify({ notArchived, notRestored });
    return {
      isClean: isClean(result),
      summary: `${options.rounds} kills, ${documents} documents; in the end ${end}.`,
    };
  },
});
