// npm run bench -- monitoring: requests a second with all monitoring on (timings, metrics that are scraped, probes that are asked, error
// reports to a listener of this process) beside all of it off. Both services run, each in a process of its own on an empty directory;
// the load goes to one and then to the other, in short rounds, so that what else the machine does hits both. The processor time
// of a request hardly depends on what else runs: compare it where the machine is not quiet.
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
  write(`requests that failed: ${failed}`);
  write(
    `processor time of a request: ${percent(cpuOn / cpuOff - 1)} more with monitoring (all threads of the service)`,
  );
  write(
    `overhead in half of the rounds: ${percent(all(overheadIn, 0.25))} to ${percent(all(overheadIn, 0.75))}; the narrower, the more the ` +
      'median is worth',
  );
  const passes = overhead <= TARGET && failed === 0;
  write(
    `overhead in requests a second (median of the rounds): ${percent(overhead)}; target <= ${percent(TARGET)}: ` +
      (passes ? 'pass' : 'falls short'),
  );
  return passes;
}

await new Command('npm run bench -- monitoring')
  .description('Requests a second with all monitoring on, beside all of it off.')
  .option('--clients <n>', 'connections that send', wholeNumber, 100)
  .option('--rounds <n>', 'of each of the two', wholeNumber, 30)
  .option('--seconds <n>', 'of each round', wholeNumber, 3)
  .option('--profile <dir>', 'write processor profiles of both services there (it slows both)')
  .action(async (options: Options) => {
    process.exitCode = (await bench(options)) ? 0 : 1;
  })
  .parseAsync();
