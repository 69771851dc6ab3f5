// npm run verify -- cache: checks with real processes and a real Redis server that a cold key is loaded only
// once however many callers request it. Measures how soon another process sees a changed plan and rejects a
// revoked key, with and without invalidation messages between the processes.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import { EmbeddedMongo } from '@colloquy/embedded-mongo';
import { ApiClient } from '../../src/cli/index.js';
import type { CacheReport } from './cache/cache-process.js';
import { wholeNumber } from '../support/options.js';
import { RedisProcess } from '../support/redis-process.js';
import { ServiceProcess } from '../support/service-process.js';

const main = join(import.meta.dirname, '..', '..', 'src', 'main.js');
const cacheProcess = join(import.meta.dirname, 'cache', 'cache-process.js');

const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** Interval at which a change is polled for, ms. */
const POLL_MS = 5;

/** Maximum time until a change is seen, ms: one second, plus the response time on a slow machine. */
const LIMIT_MS = 1500;

async function coldKey(
  name: string,
  processes: number,
  callers: number,
  env: Readonly<Record<string, string>>,
): Promise<boolean> {
  const children = Array.from({ length: processes }, () =>
    fork(cacheProcess, [], { env: { PATH: process.env['PATH'], NODE_ENV: 'test', ...env } }),
  );
  try {
    await Promise.all(children.map((child) => once(child, 'message')));
    const reports = await Promise.all(
      children.map(async (child) => {
        const report = once(child, 'message');
        child.send({ key: name, callers, loadMs: 200 });
        return (await report)[0] as CacheReport;
      }),
    );
    const loads = reports.reduce((sum, report) => sum + report.loads, 0);
    const values = new Set(reports.flatMap((report) => report.values));
    const isGood = loads === 1 && values.size === 1;
    say(
      `${name}: ${processes} x ${callers} callers, ${loads} load${loads === 1 ? '' : 's'}: ${isGood ? 'ok' : 'FAILED'}`,
    );
    return isGood;
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
}

interface Pair {
  writer: ServiceProcess;
  reader: ServiceProcess;
  adminKey: string;
}

/** Milliseconds from the completion of `change` until `seen` returns true. */
async function timeUntil(change: () => Promise<unknown>, seen: () => Promise<boolean>): Promise<number> {
  await change();
  const begun = performance.now();
  while (!(await seen())) {
    if (performance.now() - begun > 10 * LIMIT_MS) return Infinity;
    await delay(POLL_MS);
  }
  return performance.now() - begun;
}

async function visibility(
  name: string,
  { writer, reader, adminKey }: Pair,
  rounds: number,
): Promise<boolean> {
  const admin = new ApiClient(writer.url, adminKey);
  const id = `shop-${name.replaceAll(/\W+/g, '-')}`;
  const created = await admin.request('POST', '/v1/tenants', { id, name: id });
  const { apiKey } = created.body as { apiKey: string };
  const tenant = new ApiClient(reader.url, apiKey);
  const plans = ['pro', 'enterprise'];
  const planTimes: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const plan = plans[round % 2];
    planTimes.push(
      await timeUntil(
        () => admin.request('PATCH', `/v1/tenants/${id}`, { plan }),
        async () => {
          const { body } = await tenant.request('GET', '/v1/tenant');
          return (body as { plan: string }).plan === plan;
        },
      ),
    );
  }
  const keyTimes: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const made = await admin.request('POST', `/v1/tenants/${id}/keys`);
    const { key, apiKey: text } = made.body as { key: { id: string }; apiKey: string };
    const client = new ApiClient(reader.url, text);
    await client.request('GET', '/v1/tenant');
    keyTimes.push(
      await timeUntil(
        () => admin.request('DELETE', `/v1/tenants/${id}/keys/${key.id}`),
        async () => (await client.request('GET', '/v1/tenant')).status === 401,
      ),
    );
  }
  const shown = (times: number[]): string => {
    const sorted = times.toSorted((a, b) => a - b);
    return `${(sorted[Math.floor(sorted.length / 2)] ?? 0).toFixed(0)} ms median, ${(sorted.at(-1) ?? 0).toFixed(0)} ms at most`;
  };
  const isGood = [...planTimes, ...keyTimes].every((time) => time <= LIMIT_MS);
  say(
    `${name}: changed plan seen after ${shown(planTimes)}; revoked key rejected after ${shown(keyTimes)}: ${isGood ? 'ok' : 'FAILED'}`,
  );
  return isGood;
}

async function verify(callers: number, rounds: number): Promise<boolean> {
  const dir = await mkdtemp(join(tmpdir(), 'colloquy-cache-'));
  const redis = await RedisProcess.start();
  const store = await EmbeddedMongo.open({ dir: join(dir, 'store') });
  const adminKey = 'admin-key-of-verify-cache';
  const services: ServiceProcess[] = [];
  const start = async (more: Readonly<Record<string, string>>): Promise<ServiceProcess> => {
    const env = { NODE_ENV: 'production', PORT: '0', LOG_LEVEL: 'error', ADMIN_API_KEY: adminKey };
    const service = await ServiceProcess.start({
      main,
      cwd: dir,
      env: { ...env, MONGODB_URI: store.uri, REDIS_URL: redis.url, ...more },
    });
    services.push(service);
    return service;
  };
  try {
    const timeout = { REDIS_COMMAND_TIMEOUT_MS: '2000' };
    const results = [
      await coldKey('cold key in one process, no Redis', 1, callers, {}),
      await coldKey('cold key in one process', 1, callers, { REDIS_URL: redis.url, ...timeout }),
      await coldKey('cold key in two processes', 2, callers, { REDIS_URL: redis.url, ...timeout }),
    ];
    const writer = await start({});
    const hearing = await start({});
    const deaf = await start({ REDIS_ENABLED: 'false' });
    results.push(await visibility('with messages', { writer, reader: hearing, adminKey }, rounds));
    results.push(await visibility('without messages', { writer, reader: deaf, adminKey }, rounds));
    await redis.signal('SIGKILL');
    results.push(await visibility('Redis killed', { writer, reader: hearing, adminKey }, rounds));
    await redis.restart();
    return results.every((isGood) => isGood);
  } finally {
    await Promise.all(services.map((service) => service.kill('SIGTERM')));
    await store.close();
    await redis.remove();
    await rm(dir, { recursive: true, force: true });
  }
}

await new Command('npm run verify -- cache')
  .description('Checks that a cold key is loaded once, and how soon changes by other processes are seen.')
  .option('--callers <count>', 'concurrent callers of one cold key in each process', wholeNumber, 200)
  .option('--rounds <count>', 'number of measured changes', wholeNumber, 10)
  .action(async ({ callers, rounds }: { callers: number; rounds: number }) => {
    process.exitCode = (await verify(callers, rounds)) ? 0 : 1;
  })
  .parseAsync();
