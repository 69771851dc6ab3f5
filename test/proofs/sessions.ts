// npm run verify -- sessions: many clients increment a counter in one session through two API processes that
// share a store and a Redis server. The total must be exact, even when Redis is killed with SIGKILL during
// the run and restarted.
import { join } from 'node:path';
import { Command } from 'commander';
import { wholeNumber } from '../support/options.js';
import { isExact, isProven, runSessionSharing, type SharingRound } from './sessions/session-sharing.js';

const dist = join(import.meta.dirname, '..', '..');

const number = (value: number): string => value.toLocaleString('en-US');

const counted = (counts: ReadonlyMap<string | number, number>): string =>
  [...counts]
    .sort(([a], [b]) => String(a).localeCompare(String(b)))
    .map(([name, count]) => `${number(count)} x ${name}`)
    .join(', ');

function renderRound(round: SharingRound): string {
  const { tally, ms, count, expected } = round;
  const verdict = isExact(round) ? 'exact' : 'NOT exact';
  const lines = [
    `${round.name}, ${round.redisKilled ? 'Redis killed and restarted' : 'Redis up'}: ` +
      `${number(count)} of ${number(expected)}, ${verdict}`,
    `${(ms / 1000).toFixed(1)} s, ${number(tally.requests)} requests: ${counted(tally.statuses)}`,
    `${number(tally.conflicts)} conflicts (409, 412); other failures: ${counted(tally.failures) || 'none'}`,
    ...round.problems,
  ];
  return `${lines.join('\n  ')}\n`;
}

interface Options {
  clients: number;
  increments: number;
  seed?: number;
}

async function verify({ clients, increments, seed = Math.floor(Math.random() * 2 ** 32) }: Options) {
  process.stdout.write(`seed ${seed}, ${clients} clients, ${number(increments)} increments each round\n`);
  const result = await runSessionSharing({
    clients,
    increments,
    seed,
    main: join(dist, 'src', 'main.js'),
    indexes: join(dist, 'scripts', 'db-indexes.js'),
    storeChild: join(dist, 'test', 'proofs', 'store', 'store-child.js'),
    onRound: (round) => process.stdout.write(renderRound(round)),
  });
  for (const [index, stats] of result.stats.entries())
    process.stdout.write(`sessions of process ${index + 1}: ${JSON.stringify(stats)}\n`);
  for (const problem of result.redisProblems) process.stdout.write(`${problem}\n`);
  if (!isProven(result)) process.stdout.write(result.logs.join('\n'));
  return isProven(result);
}

await new Command('npm run verify -- sessions')
  .description(
    'Increments a counter in one session through two processes, with Redis running and during a Redis outage.',
  )
  .option('--clients <count>', 'number of concurrent clients', wholeNumber, 50)
  .option(
    '--increments <count>',
    'number of increments per round, by all clients together',
    wholeNumber,
    2000,
  )
  .option('--seed <number>', 'seed for the choice of processes (default: random)', wholeNumber)
  .action(async (options: Options) => {
    process.exitCode = (await verify(options)) ? 0 : 1;
  })
  .parseAsync();
