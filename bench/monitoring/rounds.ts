import { mkdir } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { failureCounts, failuresOf, runHttpLoad } from '../http/load.js';
import { prepareRoutes, type Route } from '../http/routes.js';
import { BenchService } from '../http/service.js';
import { startReportListener } from './report-listener.js';

export interface RoundOptions {
  clients: number;
  rounds: number;
  seconds: number;
  profileDir: string | undefined;
  onRound: (line: string) => void;
}

/** The result of one round with one of the two services. */
export interface Round {
  perSecond: number;
  /** CPU time of all threads of the service per request, in milliseconds. */
  cpuMs: number;
  failed: number;
  /** Load average of the machine after the round. */
  load: number;
}

export interface RoundPair {
  on: Round;
  off: Round;
}

type Side = keyof RoundPair;

const WARM_UP_SECONDS = 5;
/**
 * More often than in production: by default, Prometheus scrapes every 15 s and Kubernetes probes every 10 s.
 */
const SCRAPE_EVERY_MS = 5000;

interface Contestant {
  side: Side;
  service: BenchService;
  routes: Route[];
}

export const overheadOf = (on: number, off: number): number => 1 - on / off;

/** The quantile of the values for this share, with linear interpolation between two values. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const position = share * (sorted.length - 1);
  const below = sorted[Math.floor(position)] ?? NaN;
  const above = sorted[Math.ceil(position)] ?? NaN;
  return below + (above - below) * (position - Math.floor(position));
}

async function startOne(
  side: Side,
  settings: Readonly<Record<string, string>>,
  { clients, profileDir }: RoundOptions,
): Promise<Contestant> {
  const profiles = profileDir === undefined ? undefined : join(profileDir, side);
  if (profiles !== undefined) await mkdir(profiles, { recursive: true });
  const service = await BenchService.start(settings, { profileDir: profiles });
  try {
    return { side, service, routes: await prepareRoutes(service.api, service.key, clients) };
  } catch (error) {
    await service.close();
    throw error;
  }
}

/**
 * Requests metrics and probes until the returned function is called, as an orchestrator and Prometheus do.
 */
function watchService(url: string): () => Promise<void> {
  const stop = new AbortController();
  const ask = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      for (const path of ['/metrics', '/health/ready', '/health/live'])
        await (await fetch(new URL(path, url))).text();
      await delay(SCRAPE_EVERY_MS, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  };
  const ended = ask();
  return async () => {
    stop.abort();
    await ended;
  };
}

async function runRound({ side, service, routes }: Contestant, options: RoundOptions): Promise<Round> {
  const { clients, seconds } = options;
  const stopWatching = side === 'on' ? watchService(service.url) : undefined;
  const cpuBefore = await service.cpuSeconds();
  const result = await runHttpLoad({ url: service.url, routes, clients, seconds });
  const cpu = (await service.cpuSeconds()) - cpuBefore;
  await stopWatching?.();
  const { samples } = result;
  const [worst] = failureCounts(samples);
  if (worst) options.onRound(`${side}: ${worst[1]} x ${worst[0]}`);
  return {
    perSecond: samples.length / result.seconds,
    cpuMs: (cpu * 1000) / samples.length,
    failed: failuresOf(samples).length,
    load: loadavg()[0] ?? NaN,
  };
}

async function race(on: Contestant, off: Contestant, options: RoundOptions): Promise<RoundPair[]> {
  for (const one of [on, off])
    await runRound(one, { ...options, seconds: Math.min(WARM_UP_SECONDS, options.seconds) });
  const pairs: RoundPair[] = [];
  for (let number = 0; number < options.rounds; number++) {
    // The order alternates as well, so that the data of both grow equally.
    const order = number % 2 === 0 ? [off, on] : [on, off];
    const rounds: Partial<RoundPair> = {};
    for (const one of order) rounds[one.side] = await runRound(one, options);
    if (!rounds.on || !rounds.off) throw new Error('a round requires both sides');
    const { on: withIt, off: without } = rounds;
    pairs.push({ on: withIt, off: without });
    options.onRound(
      `round ${number + 1}: off ${Math.round(without.perSecond)}/s, on ${Math.round(withIt.perSecond)}/s`,
    );
  }
  return pairs;
}

/** Runs rounds of load, alternating between a service with all monitoring on and one with all of it off. */
export async function runRounds(options: RoundOptions): Promise<RoundPair[]> {
  const listener = await startReportListener();
  const services: Contestant[] = [];
  try {
    const on = await startOne('on', { MONITORING: 'on', SENTRY_DSN: listener.dsn }, options);
    services.push(on);
    const off = await startOne('off', { MONITORING: 'off' }, options);
    services.push(off);
    return await race(on, off, options);
  } finally {
    for (const { service } of services) await service.close();
    await listener.close();
  }
}
