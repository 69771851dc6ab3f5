// npm run verify -- shutdown: SIGTERM under load, again and again. Every request that the service took must be answered, /health/ready
// must say 503 before a connection is closed, the exit code must be 0 within the grace time, and after the restart everything
// that was acknowledged must be stored once, and nothing that was not answered.
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
      `${number(crossed)} met a closed connection`,
    ...broken.slice(0, 10).map((one) => `  BROKEN: ${one}`),
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
  write(`acknowledged in all: ${sum(({ acked }) => acked)}; checked again after the last restart`);
  for (const one of result.broken.slice(0, 10)) write(`  BROKEN: ${one}`);
  if (broken.length > 0) write(result.log.split('\n').slice(-30).join('\n'));
  write(broken.length === 0 ? 'Every promise was kept.' : `${broken.length} promises were BROKEN.`);
  return broken.length === 0;
}

await new Command('npm run verify -- shutdown')
  .description('Ends the service with SIGTERM under load, and checks what it promised.')
  .option('--rounds <count>', 'how often', wholeNumber, 10)
  .option('--clients <count>', 'that send requests', wholeNumber, 50)
  .option('--grace-ms <ms>', 'SHUTDOWN_GRACE_MS of the service', wholeNumber, 25_000)
  .option('--drain-ms <ms>', 'SHUTDOWN_DRAIN_MS of the service', wholeNumber, 3000)
  .option('--seed <number>', 'same seed, same moments (default: a random one)', wholeNumber)
  .action(async (options: Options) => {
    process.exitCode = (await verify(options)) ? 0 : 1;
  })
  .parseAsync();
