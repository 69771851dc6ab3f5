import { join, resolve } from 'node:path';
import { afterCommit, manyClients } from './commit/after-commit.js';
import { CommitLab } from './commit/commit-lab.js';
import { runMixedRequests } from './commit/mixed-requests.js';
import { isFaultless, runSharedAppends } from './commit/shared-appends.js';
import { isClean, runCrashRounds } from './crash/rounds.js';
import { builtEntry, createServiceFolder } from '../support/process.js';

const ROUNDS = 2;

describe('group commit', () => {
  it(`stores every message once when the service is killed between a commit and its responses and clients repeat their requests, in ${ROUNDS} rounds`, async () => {
    const folder = await createServiceFolder();
    try {
      const seed = Math.floor(Math.random() * 2 ** 32);
      const rounds = await runCrashRounds({
        rounds: ROUNDS,
        seed,
        main: builtEntry('main.js'),
        cwd: folder.cwd,
        dataDir: folder.dataDir,
        moment: afterCommit(resolve(join(builtEntry('main.js'), '..', '..'))),
        shape: manyClients,
      });
      const failures = rounds.filter((round) => !isClean(round));
      expect(failures.map(({ problems, refused }) => ({ seed, problems, refused: [...refused] }))).toEqual(
        [],
      );
      for (const { acked, found, unanswered } of rounds) {
        expect(found).toBe(acked);
        expect(unanswered).toBeGreaterThan(0);
      }
    } finally {
      await folder.remove();
    }
  });

  it('appends to the same conversations from two processes without gaps, and rejects only the requests that are invalid', async () => {
    const lab = await CommitLab.start(builtEntry('main.js'));
    try {
      await lab.addProcess();
      const load = { processes: 2, clientsEach: 32, conversations: 8, seconds: 1 };
      const result = await runSharedAppends(lab, { ...load, name: 'shared' });
      expect(result).toMatchObject({ refused: new Map(), problems: [] });
      expect(isFaultless(result)).toBe(true);
      expect(await runMixedRequests(lab)).toEqual([]);
    } finally {
      await lab.remove();
    }
  });
});
