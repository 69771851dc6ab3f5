import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { runArchiveCrashRounds } from './archive/rounds.js';

/** The processes of this suite run the build in `dist`, which `npm test` creates first. */
const main = resolve(
  process.env['COLLOQUY_TEST_DIST'] ?? 'dist',
  ...['test', 'proofs', 'archive', 'archive-child.js'],
);

it('loses and changes no document when killed four times while archiving or restoring', async () => {
  const cwd = await mkdtemp(join(tmpdir(), 'colloquy-archive-'));
  const seed = Math.floor(Math.random() * 2 ** 32);
  try {
    const { documents, rounds, ...whole } = await runArchiveCrashRounds({ rounds: 4, seed, main, cwd });
    const lost = rounds.filter((round) => round.lost > 0);
    expect({ seed, lost, ...whole }).toEqual({
      seed,
      lost: [],
      notArchived: {},
      notRestored: {},
    });
    expect(documents).toBeGreaterThan(1000);
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
});
