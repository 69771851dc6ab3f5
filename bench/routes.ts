// npm run bench -- routes: measures the response times of each main route under a mixed load of 100 clients,
// then how many requests fail under 500 clients for a minute. The service runs in a separate process on an
// empty directory; this process generates the load.
import { loadavg } from 'node:os';
import { Command } from 'commander';
import { wholeNumber } from '../test/support/options.js';
import { failureCounts, failuresOf, type LoadResult, runHttpLoad, type Sample } from './http/load.js';
import { prepareRoutes, type Route } from './http/routes.js';
import { BenchService } from './http/service.js';
import { machineLine } from './storage/machine.js';
import { percentilesOf } from '../test/support/percentiles.js';
import { figure, renderTable } from '@colloquy/embedded-mongo/bench';

interface Options {
  clients: number;
  routeSeconds: number;
  many: number;
  seconds: number;
  monitoring: 'on' | 'off';
}

const MOST_FAILED = 0.001;
const WARM_UP_SECONDS = 5;

const write = (line: string): void => void process.stdout.write(`${line}\n`);

const share = (part: number, whole: number): string =>
  `${((part / whole) * 100).toLocaleString('en-US', { maximumFractionDigits: 4 })} %`;

function row(name: string, samples: readonly Sample[]): string[] {
  const { count, mean, p50, p95, p99, max } = percentilesOf(samples.map(({ ms }) => ms));
  return [
    name,
    count.toLocaleString('en-US'),
    ...[mean, p50, p95, p99, max].map(figure),
    String(failuresOf(samples).length),
  ];
}

function table(routes: readonly Route[], { samples }: LoadResult): string {
  const rows = routes.map(({ name }) =>
    row(
      name,
      samples.filter(({ route }) => route === name),
    ),
  );
  const heads = ['route', 'requests', 'mean, ms', 'p50', 'p95', 'p99', 'longest', 'failed'];
  return renderTable(heads, [...rows, row('all', samples)]);
}

async function run(
  service: BenchService,
  routes: readonly Route[],
  clients: number,
  seconds: number,
): Promise<Sample[]> {
  const result = await runHttpLoad({ url: service.url, routes, clients, seconds });
  const perSecond = figure(result.samples.length / result.seconds);
  write(
    `${clients} clients for ${Math.round(result.seconds)} s: ${perSecond} requests/s, load average ${(loadavg()[0] ?? NaN).toFixed(1)}`,
  );
  write(table(routes, result));
  for (const [failure, count] of failureCounts(result.samples).slice(0, 10)) write(`${count} x ${failure}`);
  return result.samples;
}

async function bench({ clients, routeSeconds, many, seconds, monitoring }: Options): Promise<boolean> {
  write(await machineLine());
  const service = await BenchService.start({ MONITORING: monitoring });
  try {
    const routes = await prepareRoutes(service.api, service.key, Math.max(clients, many));
    await runHttpLoad({ url: service.url, routes, clients, seconds: WARM_UP_SECONDS });
    await run(service, routes, clients, routeSeconds);
    const samples = await run(service, routes, many, seconds);
    const failed = failuresOf(samples).length;
    const passes = samples.length > 0 && failed / samples.length < MOST_FAILED;
    write(
      "failed: a status other than the route's success status, no response within 30 s, or no connection",
    );
    write(
      `${failed} of ${samples.length.toLocaleString('en-US')} failed with ${many} clients: ${share(failed, samples.length)}; ` +
        `target < 0.1 %: ${passes ? 'pass' : 'fail'}`,
    );
    return passes;
  } finally {
    await service.close();
  }
}

await new Command('npm run bench -- routes')
  .description('Measures response times of each main route, and failed requests under many clients.')
  .option(
    '--clients <n>',
    'number of clients in the first part, which measures response times',
    wholeNumber,
    100,
  )
  .option('--route-seconds <n>', 'duration of the first part', wholeNumber, 30)
  .option('--many <n>', 'number of clients in the second part, which counts failures', wholeNumber, 500)
  .option('--seconds <n>', 'duration of the second part', wholeNumber, 60)
  .option('--monitoring <on|off>', 'value of MONITORING for the service', 'on')
  .action(async (options: Options) => {
    process.exitCode = (await bench(options)) ? 0 : 1;
  })
  .parseAsync();
