// npm run verify -- outage: under client load, the database is killed and restarted, then suspended and
// resumed; after that Redis is killed and restarted. Measures how soon /health/ready reports each outage, how
// requests are answered and how long they take, and how soon the service is ready again.
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { wholeNumber } from '../support/options.js';
import { longest, type OutageFigures, outcomes } from './outage/check.js';
import { type RedisFigures, runOutages, type StoreOutage } from './outage/run.js';

const dist = join(import.meta.dirname, '..', '..');

interface Options {
  clients: number;
  outageSeconds: number;
  longestSeconds: number;
  only?: StoreOutage | 'redis';
}

const number = (value: number): string => Math.round(value).toLocaleString('en-US');

const time = (ms: number | undefined): string => (ms === undefined ? 'never' : `${(ms / 1000).toFixed(2)} s`);

function renderStore(figures: OutageFigures, missed: readonly string[]): string {
  const { name, outageMs, noticedMs, recoveredMs, servedMs, live, during, after } = figures;
  const times = during.map(({ ms }) => ms).sort((a, b) => a - b);
  const p = (share: number): string => time(times[Math.floor((times.length - 1) * share)]);
  const listed = outcomes(during).map(([outcome, count]) => `${number(count)} x ${outcome}`);
  const lines = [
    `store ${name} for ${time(outageMs)}`,
    `ready: 503 after ${time(noticedMs)}; 200 again ${time(recoveredMs)} after the store was back`,
    `live: ${number(live.length)} requests, ${number(live.filter(({ http }) => http === 200).length)} x 200, slowest ${time(longest(live))}`,
    `requests during the outage: ${listed.join(', ')}`,
    `response times: median ${p(0.5)}, p99 ${p(0.99)}, longest ${time(longest(during))}`,
    `first success ${time(servedMs)} after the return; then ${number(after.length)} requests: ${outcomes(
      after,
    )
      .map(([outcome, count]) => `${number(count)} x ${outcome}`)
      .join(', ')}`,
    ...missed.map((one) => `FAILED: ${one}`),
  ];
  return `${lines.join('\n  ')}\n`;
}

const renderRedis = ({ degradedMs, recoveredMs, statuses }: RedisFigures): string =>
  `Redis killed\n  ready: degraded after ${time(degradedMs)}, ok ${time(recoveredMs)} after its restart; ` +
  `${number(statuses.length)} responses while it was down, with status ${[...new Set(statuses)].join(', ')}\n`;

async function verify({ clients, outageSeconds, longestSeconds, only }: Options): Promise<boolean> {
  const both = ['killed', 'hanging'] as const;
  const { redis, missed, log } = await runOutages({
    clients,
    outages: only === undefined ? both : both.filter((kind) => kind === only),
    outageMs: outageSeconds * 1000,
    longestMs: longestSeconds * 1000,
    redis: only === undefined || only === 'redis',
    dist,
    onStore: (figures, missedOnes) => void process.stdout.write(renderStore(figures, missedOnes)),
  });
  if (redis) process.stdout.write(renderRedis(redis));
  if (missed.length > 0) process.stdout.write(`${log.split('\n').slice(-30).join('\n')}\n`);
  process.stdout.write(
    missed.length === 0 ? 'All limits were met.\n' : `FAILED:\n  ${missed.join('\n  ')}\n`,
  );
  return missed.length === 0;
}

await new Command('npm run verify -- outage')
  .description('Makes the database and Redis unavailable under load and measures how the service behaves.')
  .option('--clients <count>', 'number of clients that send requests', wholeNumber, 50)
  .option('--outage-seconds <seconds>', 'how long the database is unavailable', wholeNumber, 45)
  .option('--longest-seconds <seconds>', 'maximum duration of a request', wholeNumber, 30)
  .addOption(new Option('--only <what>', 'run only this outage').choices(['killed', 'hanging', 'redis']))
  .action(async (options: Options) => {
    process.exitCode = (await verify(options)) ? 0 : 1;
  })
  .parseAsync();
