import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { createBackupFolder } from '../support/backups.js';
import { runBackupRounds } from './backup/rounds.js';

const ROUNDS = 3;

it(`leaves only whole backups, and restores that can be repeated, in ${ROUNDS} rounds of kills`, async () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  const folder = await createBackupFolder();
  try {
    const rounds = await runBackupRounds({
      rounds: ROUNDS,
      seed,
      dist: resolve(process.env['COLLOQUY_TEST_DIST'] ?? 'dist'),
      cwd: folder.path,
      backupKey: randomBytes(32).toString('base64'),
    });
    expect(rounds.filter(({ problems }) => problems.length > 0).map((round) => ({ seed, ...round }))).toEqual(
      [],
    );
    expect(rounds).toHaveLength(ROUNDS);
  } finally {
    await folder.remove();
  }
});
