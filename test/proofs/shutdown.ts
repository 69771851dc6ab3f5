// npm run verify -- shutdown: repeatedly stops the service with SIGTERM under load. Every accepted request
// must be answered, /health/ready must return 503 before a connection is closed, and the process must exit
// with code 0 within the grace time. After the restart everything acknowledged must be stored once, and no
// request without a response may have been executed.
import { join } from 'node:path';
import { Command } from 'commander';
import { wholeNumber } from '../support/options.js';
import { runShutdowns, type ShutdownRound } from './shutdown/run.js';

interface Options {
  rounds: number;
  clients: number;
  graceMs: number;
  drainMs: number;
  seed?: number;
}

const src = join(import.meta.dirname, '..', '..', 'src');

const write = (line: string): void => void process.stdout.write(`${line}\n`);

const number = (value: number): string => Math.round(value).toLocaleString('en-US');

function renderRound(round: ShutdownRound): string {
  const { exit, exitMs, notReadyMs, closedMs, sent, acked, answeredLate, crossed, broken } = round;
  const lines = [
    `stop ${String(round.number).padStart(2)}: ready 503 after ${notReadyMs === undefined ? 'never' : `${number(notReadyMs)} ms`}, ` +
      `first connection closed after ${number(closedMs)} ms, exit ${exit.signal ?? `code ${String(exit.code)}`} after ${number(exitMs)} ms; ` +
      `${number(sent.length)} requests, ${number(acked)} acknowledged, ${number(answeredLate)} answered after the signal, ` +
      `${number(crossed)} found their connection closed`,
    ...broken.slice(0, 10).map((one) => `  FAILED: ${one}`),
    ...(broken.length > 10 ? [`  and ${broken.length - 10} more`] : []),
  ];
  return lines.join('\n');
}

async function verify({ seed = Math.floor(Math.random() * 2 ** 32), ...options }: Options): Promise<boolean> {
  write(
    `seed ${seed}, ${options.rounds} stops under ${options.clients} clients, SHUTDOWN_GRACE_MS=${options.graceMs}, SHUTDOWN_DRAIN_MS=${options.drainMs}`,
  );
  const result = await runShutdowns({
    ...options,
    seed,
    src,
    onRound: (round) => {
      write(renderRound(round));
    },
  });
  const { rounds } = result;
  const broken = [...rounds.flatMap((round) => round.broken), ...result.broken];
  const sum = (pick: (round: ShutdownRound) => number): string =>
    number(rounds.reduce((total, round) => total + pick(round), 0));
  write(`total acknowledged: ${sum(({ acked }) => acked)}; checked again after the last restart`);
  for (const one of result.broken.slice(0, 10)) write(`  FAILED: ${one}`);
  if (broken.length > 0) write(result.log.split('\n').slice(-30).join('\n'));
  write(broken.length === 0 ? 'All checks passed.' : `${broken.length} checks FAILED.`);
  return broken.length === 0;
}

await new Command('npm run verify -- shutdown')
  .description(
    'Stops the service with SIGTERM under load, and checks that no accepted request is lost or left unanswered.',
  )
  .option('--rounds <count>', 'number of stops', wholeNumber, 10)
  .option('--clients <count>', 'number of clients that send requests', wholeNumber, 50)
  .option('--grace-ms <ms>', 'SHUTDOWN_GRACE_MS of the service', wholeNumber, 25_000)
  .option('--drain-ms <ms>', 'SHUTDOWN_DRAIN_MS of the service', wholeNumber, 3000)
  .option('--seed <number>', 'seed for the moments of the stops (default: random)', wholeNumber)
  .action(async (options: Options) => {
    process.exitCode = (await verify(options)) ? 0 : 1;
  })
  .parseAsync();
