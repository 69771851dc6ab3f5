import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { randomBytes } from 'node:crypto';
import { ApiClient, asTenantKey } from '../../../src/cli/index.js';
import { seededRandom } from '../../support/random.js';
import { RedisProcess } from '../../support/redis-process.js';
import { ServiceProcess } from '../../support/service-process.js';
import { StoreProcess } from '../store/store-process.js';
import { CountingEndpoint } from './counting-endpoint.js';
import { type Increments, MessageIncrements, PatchIncrements } from './increments.js';
import { sharedTierOf } from './shapes.js';
import { Tally } from './tally.js';

export interface SessionSharingOptions {
  clients: number;
  /** Increments per round, by all clients together. */
  increments: number;
  seed: number;
  /**
   * Paths of the built dist/src/main.js, dist/scripts/db-indexes.js and
   * dist/test/proofs/store/store-child.js.
   */
  main: string;
  indexes: string;
  storeChild: string;
  onRound?: (round: SharingRound) => void;
}

export interface SharingRound {
  name: string;
  /** Whether Redis was killed after a third of the increments and restarted after two thirds. */
  redisKilled: boolean;
  ms: number;
  tally: Tally;
  expected: number;
  count: number;
  problems: string[];
}

export interface SharingResult {
  rounds: SharingRound[];
  /**
   * One sentence for each process that did not use Redis, or did not return to it after the outage. In that
   * case the run proves nothing about Redis.
   */
  redisProblems: string[];
  /** The response of `GET /v1/sessions/stats` from each process at the end. */
  stats: unknown[];
  /** Warnings and errors that each process logged. */
  logs: string[];
}

const PROCESSES = 2;

/** Maximum time after the restart of Redis until a process uses it again, ms. */
const RECOVERY_MS = 15_000;
const RECOVERY_POLL_MS = 100;
const TENANT = 'sharing';

/** Whether the count of every round is exact and Redis was used. */
export const isProven = ({ rounds, redisProblems }: SharingResult): boolean =>
  rounds.every(isExact) && redisProblems.length === 0;

/** Whether the count is exact and no request failed except by an expected conflict. */
export const isExact = ({ count, expected, problems, tally }: SharingRound): boolean =>
  count === expected && problems.length === 0 && tally.failures.size === 0;

const unusedTiers = (stats: readonly unknown[]): string[] =>
  stats.flatMap((one, index) => {
    const tier = sharedTierOf(one);
    return tier && tier.writes === 0 ? [`process ${index + 1} wrote nothing to Redis`] : [];
  });

/** Kills Redis after a third of the work and restarts it after two thirds. */
class RedisOutage {
  private done = 0;
  private changes: Promise<void> = Promise.resolve();

  constructor(
    private readonly redis: RedisProcess,
    private readonly total: number,
  ) {}

  advance(): void {
    this.done++;
    if (this.done === Math.floor(this.total / 3))
      this.changes = this.changes.then(() => this.redis.signal('SIGKILL'));
    if (this.done === Math.floor((this.total * 2) / 3))
      this.changes = this.changes.then(() => this.redis.restart());
  }

  /** Settles when Redis has been killed and is running again. */
  over(): Promise<void> {
    return this.changes;
  }
}

/** A store, a Redis server, two API processes that use both, and a tenant with the counting responder. */
class SharingRun {
  private readonly random: () => number;
  private readonly closers: (() => Promise<unknown>)[] = [];
  private readonly services: ServiceProcess[] = [];
  private apis: ApiClient[] = [];

  constructor(private readonly options: SessionSharingOptions) {
    this.random = seededRandom(options.seed);
  }

  async run(): Promise<SharingResult> {
    try {
      const redis = await this.start();
      const rounds: SharingRound[] = [];
      const redisProblems: string[] = [];
      for (const redisKilled of [false, true])
        for (const Way of [PatchIncrements, MessageIncrements]) {
          const tally = new Tally();
          const participantId = `p${rounds.length + 1}`;
          const way = new Way({ participantId, apis: this.apis, tally, random: this.random });
          const round = await this.round(way, tally, redisKilled ? redis : undefined);
          rounds.push(round);
          this.options.onRound?.(round);
          redisProblems.push(
            ...(await this.recovery()).map((problem) => `after round ${rounds.length}: ${problem}`),
          );
        }
      const stats = await this.stats();
      redisProblems.push(...unusedTiers(stats));
      return { rounds, redisProblems, stats, logs: this.services.map(({ stdout }) => stdout) };
    } finally {
      for (const close of this.closers.reverse()) await close();
    }
  }

  private async start(): Promise<RedisProcess> {
    const cwd = await mkdtemp(join(tmpdir(), 'colloquy-sessions-'));
    this.closers.push(() => rm(cwd, { recursive: true, force: true }));
    const redis = await RedisProcess.start();
    this.closers.push(() => redis.remove());
    const store = await StoreProcess.start(this.options.storeChild, cwd);
    this.closers.push(() => store.kill());
    const env = {
      NODE_ENV: 'development',
      PORT: '0',
      LOG_LEVEL: 'warn',
      DATA_DIR: join(cwd, 'data'),
      MONGODB_URI: store.uri,
      REDIS_URL: redis.url,
      ADMIN_API_KEY: `admin_${randomBytes(18).toString('base64url')}`,
      HTTP_RESPONDER_ALLOW_PRIVATE: 'true',
    };
    await ServiceProcess.runToEnd({ main: this.options.indexes, cwd, env });
    for (let index = 0; index < PROCESSES; index++) {
      const service = await ServiceProcess.start({ main: this.options.main, cwd, env });
      this.closers.push(() => service.kill('SIGKILL'));
      this.services.push(service);
    }
    await this.createTenant();
    return redis;
  }

  private async createTenant(): Promise<void> {
    const [first] = this.services;
    if (!first) throw new Error('no process runs');
    const admin = new ApiClient(first.url, first.adminKey);
    const key = await admin.call('POST', '/v1/tenants', asTenantKey, { id: TENANT, name: 'Session sharing' });
    this.apis = this.services.map(({ url }) => new ApiClient(url, key));
    const endpoint = await CountingEndpoint.start();
    this.closers.push(() => endpoint.close());
    const config = { url: endpoint.url, secret: randomBytes(24).toString('hex'), historyLimit: 0 };
    await new ApiClient(first.url, key).call('PUT', '/v1/responder', () => undefined, {
      type: 'http',
      config,
    });
  }

  private async round(way: Increments, tally: Tally, redis: RedisProcess | undefined): Promise<SharingRound> {
    const { clients, increments } = this.options;
    const outage = redis && new RedisOutage(redis, increments);
    await way.prepare();
    const begun = performance.now();
    let taken = 0;
    const client = async (): Promise<void> => {
      while (taken < increments) {
        await way.increment(++taken);
        outage?.advance();
      }
    };
    const ended = await Promise.allSettled(Array.from({ length: clients }, client));
    const ms = performance.now() - begun;
    await outage?.over();
    const failed = ended.flatMap((end) => (end.status === 'rejected' ? [String(end.reason)] : []));
    const { count, problems } = await way.check(increments);
    return {
      name: way.name,
      redisKilled: redis !== undefined,
      ms,
      tally,
      expected: increments,
      count,
      problems: [...problems, ...failed],
    };
  }

  /** Waits until all processes use Redis again, so that the next round starts with it. */
  private async recovery(): Promise<string[]> {
    const deadline = Date.now() + RECOVERY_MS;
    for (;;) {
      const states = (await this.stats()).map((stats) => sharedTierOf(stats)?.state);
      const waiting = states.flatMap((state, index) =>
        state === undefined || state === 'closed' ? [] : [`Redis is "${state}" for process ${index + 1}`],
      );
      if (waiting.length === 0 || Date.now() > deadline) return waiting;
      await delay(RECOVERY_POLL_MS);
    }
  }

  private async stats(): Promise<unknown[]> {
    return Promise.all(
      this.services.map(({ url, adminKey }) =>
        new ApiClient(url, adminKey).call('GET', '/v1/sessions/stats', (body) => body),
      ),
    );
  }
}

/**
 * Many clients increment a counter in one session through two processes, by PATCH and by messages, both with
 * Redis running and with a Redis outage during the round. No increment may be lost or counted twice, and no
 * request may fail except by an expected conflict.
 */
export const runSessionSharing = (options: SessionSharingOptions): Promise<SharingResult> =>
  new SharingRun(options).run();
