import { builtEntry, createServiceFolder, type ServiceFolder } from '../support/process.js';
import { runErasureRounds } from './erasure/rounds.js';

const ROUNDS = 3;

describe('kill -9 during erasures', () => {
  let folder: ServiceFolder;

  beforeAll(async () => {
    folder = await createServiceFolder();
  });
  afterAll(() => folder.remove());

  it(`leaves nothing of the participant and everything of others in ${ROUNDS} rounds`, async () => {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const rounds = await runErasureRounds({
      rounds: ROUNDS,
      seed,
      main: builtEntry('main.js'),
      cwd: folder.cwd,
      dataDir: folder.dataDir,
    });
    expect(rounds.flatMap(({ round, problems }) => problems.map((text) => ({ seed, round, text })))).toEqual(
      [],
    );
    expect(rounds).toHaveLength(ROUNDS);
  });
});
