// npm run verify -- erasure --rounds 50: kills the built service with SIGKILL at random moments of erasures of
// participants. After each kill it restarts the service and checks that the erasure is finished, that no document
// contains anything of the participant, and that everything of the others is there.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { type ErasureRound, runErasureRounds } from './erasure/rounds.js';
import { wholeNumber } from '../support/options.js';

const main = join(import.meta.dirname, '..', '..', 'src', 'main.js');

const renderRound = ({ round, killedAfterMs, reached, finishedMs, problems }: ErasureRound): string =>
  `${String(round).padStart(5)}  killed after ${String(killedAfterMs).padStart(3)} ms, reached: ${reached.padEnd(11)}  ` +
  `none pending ${Math.round(finishedMs)} ms after the start  ${problems.length} problems\n`;

async function verify(rounds: number, seed: number): Promise<boolean> {
  const cwd = await mkdtemp(join(tmpdir(), 'colloquy-erasure-'));
  process.stdout.write(`seed ${seed}\n`);
  try {
    const results = await runErasureRounds({
      rounds,
      seed,
      main,
      cwd,
      dataDir: join(cwd, 'data'),
      onRound: (round) => process.stdout.write(renderRound(round)),
    });
    for (const { round, problems } of results)
      for (const problem of problems) process.stdout.write(`round ${round}: ${problem}\n`);
    const count = (reached: ErasureRound['reached']): number =>
      results.filter((result) => result.reached === reached).length;
    const isClean = results.every(({ problems }) => problems.length === 0);
    process.stdout.write(
      `${rounds} kills: ${count('nothing')} before the erasure was stored, ${count('interrupted')} during it, ${count('receipt')} after its receipt. ` +
        `${isClean ? 'Nothing of an erased participant is left, and nothing of the others is lost' : 'FAILED, see the problems above'}.\n`,
    );
    return isClean;
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
}

await new Command('npm run verify -- erasure')
  .description(
    'Kills the service at random moments of erasures and checks that they are finished, and nothing else is lost.',
  )
  .option('--rounds <count>', 'number of kills', wholeNumber, 50)
  .option('--seed <number>', 'seed for the moments of the kills (default: random)', wholeNumber)
  .action(
    async ({ rounds, seed = Math.floor(Math.random() * 2 ** 32) }: { rounds: number; seed?: number }) => {
      process.exitCode = (await verify(rounds, seed)) ? 0 : 1;
    },
  )
  .parseAsync();
