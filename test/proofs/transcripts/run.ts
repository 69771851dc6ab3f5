import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type ApiClient, RequestFailure } from '../../../src/cli/index.js';
import { seededRandom } from '../../support/random.js';
import { RedisProcess } from '../../support/redis-process.js';
import { check, drained, type Findings } from './check.js';
import { Cluster, type Role } from './cluster.js';
import { type LoadOptions, TranscriptLoad } from './load.js';

/** What is killed: processes of the service, or Redis, optionally losing the writes of its last second. */
export type Victim = 'service' | 'redis' | 'redis-power';

export interface TranscriptKills extends LoadOptions {
  kills: number;
  seed: number;
  victim: Victim;
  /** Run with a Redis server whose append-only file uses `appendfsync everysec`. */
  redis: boolean;
  /** The `dist/src` folder of the build. */
  dist: string;
  /** Run a worker in addition to the API; both claim transcripts and jobs. */
  worker: boolean;
  onKill?: (kill: Kill) => void;
}

export interface Kill {
  number: number;
  what: string;
  afterMs: number;
  /** Transcripts and closings acknowledged up to the kill. */
  acked: number;
}

export interface TranscriptResult extends Findings {
  refused: ReadonlyMap<string, number>;
  /**
   * Milliseconds from the end of the load until everything accepted was stored; -1 if that did not happen in
   * time.
   */
  drainMs: number;
  /** Whether conversations were closed, which enqueues jobs through the API. */
  closes: boolean;
  /** Jobs that Redis lost and that were enqueued in it again, counted from the log. */
  revivedJobs: number;
  /** Warnings and errors logged by all processes. */
  logs: string[];
}

const EARLIEST_KILL_MS = 100;
const LATEST_KILL_MS = 1500;
/** Longest time before a killed process is restarted, ms. */
const LONGEST_OUTAGE_MS = 1000;
const POWER_MS = 1000;

export const isProven = (result: TranscriptResult): boolean =>
  result.problems.length === 0 &&
  result.drainMs >= 0 &&
  result.found.transcripts === result.acked.transcripts &&
  result.found.closings === result.acked.closings &&
  result.searched.found === result.searched.of;

/** Whether closing a conversation enqueues a job in this service. */
async function canClose(api: ApiClient): Promise<boolean> {
  try {
    await api.call('POST', `/v1/conversations/${'0'.repeat(24)}/close`, (body) => body);
    return true;
  } catch (error) {
    if (!(error instanceof RequestFailure)) throw error;
    return error.code !== 'route_not_found';
  }
}

class Killer {
  private readonly random: () => number;

  constructor(
    private readonly options: TranscriptKills,
    private readonly cluster: Cluster,
    private readonly redis: RedisProcess | undefined,
  ) {
    this.random = seededRandom(options.seed);
  }

  async run(load: TranscriptLoad): Promise<void> {
    for (let number = 1; number <= this.options.kills; number++) {
      const before = load.acked;
      while (load.acked === before) await delay(5);
      const afterMs = Math.round(EARLIEST_KILL_MS + this.random() * (LATEST_KILL_MS - EARLIEST_KILL_MS));
      await delay(afterMs);
      const what = await this.killOne();
      this.options.onKill?.({ number, what, afterMs, acked: load.acked });
    }
  }

  private async killOne(): Promise<string> {
    if (this.options.victim === 'service') return this.killService();
    if (!this.redis) throw new Error('There is no Redis to kill.');
    let what = 'redis';
    if (this.options.victim === 'redis') await this.redis.signal('SIGKILL');
    else {
      // While no worker runs, the jobs of the last second stay in Redis, so they are lost with its last
      // writes.
      await this.cluster.kill(['worker']);
      what = `redis, ${await this.redis.cutPower(POWER_MS)} bytes lost`;
    }
    await delay(this.random() * LONGEST_OUTAGE_MS);
    await this.redis.restart();
    await this.cluster.startMissing();
    return what;
  }

  private async killService(): Promise<string> {
    const sets: (readonly Role[])[] =
      this.cluster.roles.length === 1 ? [['api']] : [['api'], ['worker'], ['api', 'worker']];
    const roles = sets[Math.floor(this.random() * sets.length)] ?? [];
    await this.cluster.kill(roles);
    await delay(this.random() * LONGEST_OUTAGE_MS);
    await this.cluster.startMissing();
    return roles.join(' and ');
  }
}

/** Restarts all processes, the API first because it hosts the store that the worker uses. */
async function restart(cluster: Cluster): Promise<void> {
  await cluster.kill(cluster.roles);
  await cluster.startMissing();
}

async function runWith(
  options: TranscriptKills,
  cluster: Cluster,
  redis: RedisProcess | undefined,
): Promise<TranscriptResult> {
  const api = await cluster.createTenant('acme');
  const closes = await canClose(api);
  const load = new TranscriptLoad(api, { ...options, closers: closes ? options.closers : 0 });
  await new Killer(options, cluster, redis).run(load);
  await load.stop();
  if (options.victim === 'service') await restart(cluster);
  const drainMs = await drained(api, load.ledger);
  await cluster.stop();
  await cluster.startMissing();
  const findings = await check(api, load.ledger);
  return {
    ...findings,
    refused: load.ledger.refused,
    drainMs,
    closes,
    revivedJobs: cluster.logLines('Redis had lost a job').length,
    logs: cluster.logLines(),
  };
}

/**
 * Kills processes at random moments while transcripts are posted, then checks that everything acknowledged is
 * stored exactly once.
 */
export async function runTranscriptKills(options: TranscriptKills): Promise<TranscriptResult> {
  const { dist, worker, victim } = options;
  const cwd = await mkdtemp(join(tmpdir(), 'colloquy-transcripts-'));
  const needsRedis = options.redis || victim !== 'service';
  const redis = needsRedis ? await RedisProcess.start({ appendfsync: 'everysec' }) : undefined;
  let cluster: Cluster | undefined;
  try {
    cluster = await Cluster.start({
      main: join(dist, 'main.js'),
      worker: worker ? join(dist, 'worker.js') : undefined,
      cwd,
      redisUrl: redis?.url,
    });
    return await runWith(options, cluster, redis);
  } finally {
    await cluster?.kill(cluster.roles);
    await redis?.remove();
    await rm(cwd, { recursive: true, force: true });
  }
}
