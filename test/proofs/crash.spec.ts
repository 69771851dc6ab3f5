import { isClean, runCrashRounds } from './crash/rounds.js';
import { builtEntry, createServiceFolder, type ServiceFolder } from '../support/process.js';

const ROUNDS = 3;

describe('kill -9 under load', () => {
  let folder: ServiceFolder;

  beforeAll(async () => {
    folder = await createServiceFolder();
  });
  afterAll(() => folder.remove());

  it(`loses, duplicates or tears no acknowledged write in ${ROUNDS} rounds`, async () => {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const rounds = await runCrashRounds({
      rounds: ROUNDS,
      seed,
      main: builtEntry('main.js'),
      cwd: folder.cwd,
      dataDir: folder.dataDir,
    });
    const failures = rounds
      .filter((round) => !isClean(round))
      .map(({ round, problems, refused }) => ({ seed, round, problems, refused: [...refused] }));
    expect(failures).toEqual([]);
    expect(rounds.map(({ acked, found }) => acked - found)).toEqual(rounds.map(() => 0));
    expect(rounds.reduce((sum, { acked }) => sum + acked, 0)).toBeGreaterThan(0);
  });
});
