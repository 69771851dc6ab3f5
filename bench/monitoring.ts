// npm run bench -- monitoring: measures requests per second with all monitoring on (timings, scraped metrics,
// probes, error reports to a listener in this process), compared with all of it off. Each service runs in a
// separate process on an empty directory. The load switches between the two in short rounds, so that other
// work on the machine affects both. CPU time per request hardly depends on other work: use it for the
// comparison when the machine is not quiet.
import { Command } from 'commander';
import { wholeNumber } from '../test/support/options.js';
import { overheadOf, quantile, type RoundPair, runRounds } from './monitoring/rounds.js';
import { machineLine } from './storage/machine.js';
import { figure, renderTable } from '@colloquy/embedded-mongo/bench';

interface Options {
  clients: number;
  rounds: number;
  seconds: number;
  profile?: string;
}

const TARGET = 0.1;

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

async function bench({ clients, rounds, seconds, profile }: Options): Promise<boolean> {
  const write = (line: string): void => void process.stdout.write(`${line}\n`);
  write(await machineLine());
  write(`${clients} clients, ${rounds} rounds of ${seconds} s each\n`);
  const pairs = await runRounds({
    clients,
    rounds,
    seconds,
    profileDir: profile,
    onRound: (line) => void process.stderr.write(`${line}\n`),
  });
  const rows = pairs.map(({ on, off }, index) => [
    `round ${index + 1}`,
    figure(off.perSecond),
    figure(on.perSecond),
    percent(overheadOf(on.perSecond, off.perSecond)),
    figure(off.cpuMs),
    figure(on.cpuMs),
    off.load.toFixed(1),
    on.load.toFixed(1),
  ]);
  const all = (pick: (pair: RoundPair) => number, share = 0.5): number => quantile(pairs.map(pick), share);
  const overheadIn = ({ on, off }: RoundPair): number => overheadOf(on.perSecond, off.perSecond);
  const overhead = all(overheadIn);
  const off = all((pair) => pair.off.perSecond);
  const on = all((pair) => pair.on.perSecond);
  const cpuOff = all((pair) => pair.off.cpuMs);
  const cpuOn = all((pair) => pair.on.cpuMs);
  const heads = ['', 'off, /s', 'on, /s', 'overhead', 'off, CPU ms', 'on, CPU ms', 'load, off', 'load, on'];
  const medians = [
    'median',
    figure(off),
    figure(on),
    percent(overhead),
    figure(cpuOff),
    figure(cpuOn),
    '',
    '',
  ];
  write(renderTable(heads, [...rows, medians]));
  const failed = pairs.reduce((sum, pair) => sum + pair.on.failed + pair.off.failed, 0);
  write(`failed requests: ${failed}`);
  write(
    `CPU time per request: ${percent(cpuOn / cpuOff - 1)} more with monitoring (all threads of the service)`,
  );
  write(
    `overhead, middle half of the rounds: ${percent(all(overheadIn, 0.25))} to ${percent(all(overheadIn, 0.75))}; the narrower this range, the more ` +
      'reliable the median',
  );
  const passes = overhead <= TARGET && failed === 0;
  write(
    `overhead in requests per second (median of the rounds): ${percent(overhead)}; target <= ${percent(TARGET)}: ` +
      (passes ? 'pass' : 'fail'),
  );
  return passes;
}

await new Command('npm run bench -- monitoring')
  .description('Measures requests per second with all monitoring on, compared with all of it off.')
  .option('--clients <n>', 'number of client connections', wholeNumber, 100)
  .option('--rounds <n>', 'number of rounds for each of the two', wholeNumber, 30)
  .option('--seconds <n>', 'duration of each round', wholeNumber, 3)
  .option('--profile <dir>', 'write CPU profiles of both services to this directory (slows both down)')
  .action(async (options: Options) => {
    process.exitCode = (await bench(options)) ? 0 : 1;
  })
  .parseAsync();
