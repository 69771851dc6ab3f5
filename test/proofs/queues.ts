// npm run verify -- queues: runs two workers on the database driver and on the Redis driver, and checks
// parallel jobs, the backoff between attempts, a rate limit, and workers killed with SIGKILL while they run a
// job.
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
      process.stdout.write(`  ${shown.holds ? 'ok' : 'FAILED'}: ${shown.claim}\n    ${shown.figures}\n`);
    });
  }
  return holds;
}

await new Command('npm run verify -- queues')
  .description('Checks the promises of the queues with two worker processes, including kills.')
  .addOption(
    new Option('--driver <driver>', 'of the queues').choices(['database', 'redis', 'both']).default('both'),
  )
  .option('--jobs <count>', 'number of jobs with a rate limit of 5 per second', wholeNumber, 100)
  .option(
    '--kills <count>',
    'how many workers are killed while they run a job; each kill takes about half a minute',
    wholeNumber,
    3,
  )
  .action(async (options: Options) => {
    if (!(await verify(options))) process.exitCode = 1;
  })
  .parseAsync();
