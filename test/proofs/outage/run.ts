import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ApiClient, asTenantKey } from '../../../src/cli/index.js';
import { RedisProcess } from '../../support/redis-process.js';
import { ServiceProcess } from '../../support/service-process.js';
import { StoreProcess } from '../store/store-process.js';
import { isLate, isSuccess, LIMITS, missedLimits, type OutageFigures } from './check.js';
import { OutageLoad, prepareParticipants } from './load.js';
import { ProbeWatch } from './probe-watch.js';

/**
 * killed: the store process is killed. hanging: it is suspended, so that its connections stay open without
 * responses.
 */
export type StoreOutage = 'killed' | 'hanging';

export interface OutageOptions {
  clients: number;
  outages: readonly StoreOutage[];
  /** How long the store is unavailable, ms. */
  outageMs: number;
  /** Maximum duration of a request during an outage, ms. */
  longestMs: number;
  redis: boolean;
  /** The folder of the built service. */
  dist: string;
  /** Additional settings of the service. */
  env?: Readonly<Record<string, string>>;
  onStore?: (figures: OutageFigures, missed: readonly string[]) => void;
}

export interface RedisFigures {
  degradedMs: number | undefined;
  recoveredMs: number | undefined;
  /** Statuses of /health/ready while Redis was down. */
  statuses: readonly number[];
}

export interface OutageResult {
  stores: OutageFigures[];
  redis: RedisFigures | undefined;
  missed: string[];
  /** The log of the service. */
  log: string;
}

const WARM_UP_MS = 2000;

/**
 * How long to wait for an event that has a limit: longer than the limit, so that a late event is reported
 * with its time.
 */
const PATIENCE_MS = 60_000;
const PROBE_EVERY_MS = 100;

/** A store, a Redis server and the service, each in its own process, and clients. */
class OutageRun {
  private readonly closers: (() => Promise<unknown>)[] = [];

  constructor(private readonly options: OutageOptions) {}

  async run(): Promise<OutageResult> {
    const { outages } = this.options;
    try {
      const { service, store, redis, api } = await this.start();
      const ready = this.watch(service.url, '/health/ready');
      const live = this.watch(service.url, '/health/live');
      const stores: OutageFigures[] = [];
      const missed: string[] = [];
      for (const kind of outages) {
        const figures = await this.storeOutage(kind, { store, api, ready, live });
        const problems = missedLimits(figures);
        stores.push(figures);
        missed.push(...problems.map((problem) => `store ${kind}: ${problem}`));
        this.options.onStore?.(figures, problems);
      }
      const redisFigures = redis ? await redisOutage(redis, ready) : undefined;
      if (redisFigures) missed.push(...missedOfRedis(redisFigures));
      if (await hasExited(service)) missed.push('the service exited unexpectedly');
      return { stores, redis: redisFigures, missed, log: `${service.stdout}${service.stderr}` };
    } finally {
      for (const close of this.closers.reverse()) await close();
    }
  }

  private watch(url: string, path: string): ProbeWatch {
    const watch = new ProbeWatch(url, path, PROBE_EVERY_MS);
    this.closers.push(() => watch.stop());
    return watch;
  }

  private async start(): Promise<{
    service: ServiceProcess;
    store: StoreProcess;
    redis: RedisProcess | undefined;
    api: ApiClient;
  }> {
    const { dist } = this.options;
    const cwd = await mkdtemp(join(tmpdir(), 'colloquy-outage-'));
    this.closers.push(() => rm(cwd, { recursive: true, force: true }));
    const redis = this.options.redis ? await RedisProcess.start() : undefined;
    if (redis) this.closers.push(() => redis.remove());
    const store = await StoreProcess.start(join(dist, 'test', 'proofs', 'store', 'store-child.js'), cwd);
    this.closers.push(() => store.kill());
    const env = {
      NODE_ENV: 'development',
      PORT: '0',
      LOG_LEVEL: 'warn',
      DATA_DIR: join(cwd, 'data'),
      MONGODB_URI: store.uri,
      ...(redis && { REDIS_URL: redis.url }),
      // Large enough for the transcripts that are queued during the outage.
      TRANSCRIPT_MAX_QUEUE_SIZE: '1000000',
      ADMIN_API_KEY: `admin_${randomBytes(18).toString('base64url')}`,
      ...this.options.env,
    };
    await ServiceProcess.runToEnd({ main: join(dist, 'scripts', 'db-indexes.js'), cwd, env });
    const service = await ServiceProcess.start({ main: join(dist, 'src', 'main.js'), cwd, env });
    this.closers.push(() => service.kill('SIGKILL'));
    const admin = new ApiClient(service.url, service.adminKey);
    const key = await admin.call('POST', '/v1/tenants', asTenantKey, { id: 'outage', name: 'Outage' });
    const api = new ApiClient(service.url, key);
    await prepareParticipants(api, this.options.clients);
    return { service, store, redis, api };
  }

  private async storeOutage(
    kind: StoreOutage,
    { store, api, ready, live }: { store: StoreProcess; api: ApiClient; ready: ProbeWatch; live: ProbeWatch },
  ): Promise<OutageFigures> {
    const { clients, outageMs, longestMs } = this.options;
    const load = new OutageLoad(api, clients);
    load.start();
    await delay(WARM_UP_MS);
    const begun = performance.now();
    if (kind === 'killed') await store.kill();
    else store.signal('SIGSTOP');
    const noticed = await ready.first(begun, PATIENCE_MS, ({ http }) => http === 503);
    await delay(Math.max(0, begun + outageMs - performance.now()));
    // Only the recovery of the service is measured, not the time that the store takes to open.
    if (kind === 'killed') await store.open();
    else store.signal('SIGCONT');
    const back = performance.now();
    const recovered = await ready.first(back, PATIENCE_MS, ({ http }) => http === 200);
    await delay(WARM_UP_MS);
    await load.stop();
    const served = load.samples.find((sample) => sample.begun > back && isSuccess(sample));
    return {
      name: kind,
      outageMs: back - begun,
      noticedMs: noticed && noticed.at - begun,
      recoveredMs: recovered && recovered.at - back,
      servedMs: served && served.begun + served.ms - back,
      live: live.looks.filter(({ at }) => at >= begun),
      during: load.samples.filter((sample) => sample.begun < back && sample.begun + sample.ms > begun),
      after: load.samples.filter((sample) => sample.begun > (recovered?.at ?? Infinity)),
      longestMs,
    };
  }
}

async function redisOutage(redis: RedisProcess, ready: ProbeWatch): Promise<RedisFigures> {
  const settled = performance.now();
  await ready.first(settled, PATIENCE_MS, ({ status }) => status === 'ok');
  const begun = performance.now();
  await redis.signal('SIGKILL');
  const degraded = await ready.first(begun, PATIENCE_MS, ({ status }) => status === 'degraded');
  await delay(WARM_UP_MS);
  await redis.restart();
  const back = performance.now();
  const recovered = await ready.first(back, PATIENCE_MS, ({ status }) => status === 'ok');
  return {
    degradedMs: degraded && degraded.at - begun,
    recoveredMs: recovered && recovered.at - back,
    statuses: ready.looks.filter(({ at }) => at >= begun && at <= back).map(({ http }) => http),
  };
}

function missedOfRedis({ degradedMs, recoveredMs, statuses }: RedisFigures): string[] {
  const missed: string[] = [];
  if (isLate(degradedMs, LIMITS.redis))
    missed.push(`Redis: ready did not return degraded within ${LIMITS.redis} ms`);
  if (isLate(recoveredMs, LIMITS.redis))
    missed.push(`Redis: ready did not return ok within ${LIMITS.redis} ms of its restart`);
  if (statuses.some((status) => status !== 200)) missed.push('Redis: ready did not stay 200');
  return missed;
}

const hasExited = (service: ServiceProcess): Promise<boolean> =>
  Promise.race([service.exited.then(() => true), delay(0, false)]);

/**
 * Makes the store and then Redis unavailable under load, restores them, and reports how the service behaved.
 */
export const runOutages = (options: OutageOptions): Promise<OutageResult> => new OutageRun(options).run();
