// npm run verify -- queues: two workers on one store, and on a Redis: parallel jobs, spaced tries, a rate limit, and workers that are
// killed with SIGKILL in the middle of a job.
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { wholeNumber } from '../support/options.js';
import { QueueProof } from './queues/queue-proof.js';

const here = import.meta.dirname;

interface Options {
  driver: 'database' | 'redis' | 'both';
  jobs: number;
  kills: number;
}

async function verify({ driver, jobs, kills }: Options): Promise<boolean> {
  let holds = true;
  for (const one of driver === 'both' ? (['database', 'redis'] as const) : [driver]) {
    process.stdout.write(`queues on ${one === 'redis' ? 'Redis' : 'the database'}\n`);
    const proof = new QueueProof({
      driver: one,
      limitedJobs: jobs,
      kills,
      workerChild: join(here, 'queues', 'worker-child.js'),
      storeChild: join(here, 'store', 'store-child.js'),
    });
    await proof.run((shown) => {
      holds &&= shown.holds;
      process.stdout.write(
        `  ${shown.holds ? 'holds' : 'DOES NOT HOLD'}: ${shown.claim}\n    ${shown.figures}\n`,
      );
    });
  }
  return holds;
}

await new Command('npm run verify -- queues')
  .description('Shows what queues promise, with two worker processes that are killed.')
  .addOption(
    new Option('--driver <driver>', 'of the queues').choices(['database', 'redis', 'both']).default('both'),
  )
  .option('--jobs <count>', 'with a rate limit of 5 a second', wholeNumber, 100)
  .option(
    '--kills <count>',
    'of workers in the middle of a job; each takes about half a minute',
    wholeNumber,
    3,
  )
  .action(async (options: Options) => {
    if (!(await verify(options))) process.exitCode = 1;
  })
  .parseAsync();
