// npm run verify -- transcripts: clients post transcripts and close conversations while processes of the
// service, or Redis, are killed with SIGKILL at random moments. At the end every acknowledged transcript must
// be stored exactly once, with the right contents.
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { wholeNumber } from '../support/options.js';
import {
  isProven,
  type Kill,
  runTranscriptKills,
  type TranscriptResult,
  type Victim,
} from './transcripts/run.js';

const dist = join(import.meta.dirname, '..', '..', 'src');

const number = (value: number): string => value.toLocaleString('en-US');

interface Options {
  kills: number;
  clients: number;
  closers: number;
  redis?: boolean;
  worker?: boolean;
  kill: Victim;
  seed?: number;
}

const renderKill = ({ number: count, what, afterMs, acked }: Kill): string =>
  `kill ${String(count).padStart(2)}: ${what}, after ${afterMs} ms; acknowledged so far ${number(acked)}\n`;

function renderResult(result: TranscriptResult): string {
  const { acked, found, problems, refused, searched } = result;
  const refusals = [...refused].map(([code, count]) => `${number(count)} x ${code}`).join(', ');
  const lines = [
    `sent ${number(result.sent)}; unsuccessful responses: ${refusals || 'none'}`,
    `acknowledged transcripts: ${number(acked.transcripts)}; stored once, with the right contents: ${number(found.transcripts)}`,
    result.closes
      ? `acknowledged closings: ${number(acked.closings)}; transcript created and stored once: ${number(found.closings)}`
      : 'closing conversations is not supported by this service: no jobs were involved',
    `stored although the kill interrupted the response: ${number(result.unackedStored)}; total rows: ${number(result.rows)}`,
    `found by their own text: ${searched.found} of ${searched.of}`,
    result.drainMs < 0
      ? 'FAILED: not everything was stored in time'
      : `everything was stored and nothing queued ${(result.drainMs / 1000).toFixed(1)} s after the load`,
    `jobs that Redis lost and that were enqueued again: ${result.revivedJobs}`,
    ...problems.slice(0, 20),
    ...(problems.length > 20 ? [`and ${problems.length - 20} more problems`] : []),
    isProven(result) ? 'Every acknowledged one is stored exactly once.' : 'NOT all is well.',
  ];
  return `${lines.join('\n')}\n`;
}

async function verify({ seed = Math.floor(Math.random() * 2 ** 32), ...options }: Options): Promise<boolean> {
  const { kills, kill, redis = false, worker = false } = options;
  const withRedis = redis || kill !== 'service' ? 'with Redis (appendfsync everysec)' : 'without Redis';
  process.stdout.write(
    `seed ${seed}, ${kills} kills of ${kill}, ${withRedis}, ${worker ? 'API and worker, both processing transcripts' : 'one process'}\n`,
  );
  const onKill = (one: Kill): void => void process.stdout.write(renderKill(one));
  const result = await runTranscriptKills({ ...options, redis, worker, victim: kill, seed, dist, onKill });
  process.stdout.write(renderResult(result));
  if (!isProven(result)) process.stdout.write(`${result.logs.slice(-50).join('\n')}\n`);
  return isProven(result);
}

await new Command('npm run verify -- transcripts')
  .description(
    'Kills the service or Redis while transcripts are posted, and checks that everything acknowledged is stored.',
  )
  .option('--kills <count>', 'number of kills', wholeNumber, 30)
  .option('--clients <count>', 'number of clients that post transcripts', wholeNumber, 8)
  .option(
    '--closers <count>',
    'number of clients that close conversations, whose transcripts are created by jobs',
    wholeNumber,
    2,
  )
  .option('--redis', 'with a Redis server that uses appendfsync everysec')
  .option(
    '--worker',
    'with a worker in addition to the API, on one embedded store: both claim transcripts, and each kill affects one of them or both',
  )
  .addOption(
    new Option(
      '--kill <what>',
      'what is killed; redis-power: Redis, losing the writes of its last second as in a power failure',
    )
      .choices(['service', 'redis', 'redis-power'])
      .default('service'),
  )
  .option('--seed <number>', 'seed for the moments of the kills (default: random)', wholeNumber)
  .action(async (options: Options) => {
    process.exitCode = (await verify(options)) ? 0 : 1;
  })
  .parseAsync();
