import { resolve } from 'node:path';
import { runHistory } from './store/history-run.js';
import { isCleanRound, runStoreCrashRounds } from './store/store-crash-rounds.js';

/** The processes of this suite run the build in `dist`, which `npm test` creates first. */
const main = resolve(
  process.env['COLLOQUY_TEST_DIST'] ?? 'dist',
  'test',
  'proofs',
  'store',
  'store-child.js',
);

const seed = Math.floor(Math.random() * 2 ** 32);

it('the embedded store keeps snapshot isolation, atomicity and durability under random transactions and kills', async () => {
  const { problems, damage, committed, stderr } = await runHistory({
    transactions: 250,
    kills: 2,
    clients: 12,
    seed,
    main,
  });
  expect({ seed, problems, damage, stderr }).toEqual({ seed, problems: [], damage: [], stderr: '' });
  expect(committed).toBeGreaterThan(0);
});

it('the embedded store loses no acknowledged write and stores no partial transaction when killed three times under load', async () => {
  const rounds = await runStoreCrashRounds({ rounds: 3, seed, main });
  const failures = rounds.filter((round) => !isCleanRound(round)).map((round) => ({ seed, ...round }));
  expect(failures).toEqual([]);
  expect(rounds.reduce((sum, { committed }) => sum + committed, 0)).toBeGreaterThan(0);
});
