import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { INestApplicationContext } from '@nestjs/common';
import { type QueueDefinition, QueueService } from '../../../src/queue/index.js';
import { RedisProcess } from '../../support/redis-process.js';
import { ServiceProcess } from '../../support/service-process.js';
import { StoreProcess } from '../store/store-process.js';
import { gapsAfter, mostAtOnce, rateOf, spreadOf } from './figures.js';
import { openProbeApp } from './probe-app.js';
import {
  killed,
  limit,
  limited,
  parallel,
  PARALLEL_MS,
  type ProbeEvent,
  ProbeLog,
  type ProbePayload,
  spaced,
  spacing,
} from './probe-queues.js';

export interface ProofOptions {
  driver: 'database' | 'redis';
  /** Number of rate-limited jobs. */
  limitedJobs: number;
  /** How many workers are killed while they run a job, one after another. */
  kills: number;
  /** Paths of the built worker-child.js and store-child.js. */
  workerChild: string;
  storeChild: string;
}

export interface Proof {
  claim: string;
  holds: boolean;
  figures: string;
}

const TENANT = 'probe';
const PARALLEL = 100;
const SPACED = 20;

/** A lease lasts 30 s; the rest allows for the interval at which expired leases are checked. */
const LEASE_MS = 30_000;
const LOOK_MS = 10_000;

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;

/** A store, a Redis server if the driver needs one, two workers, and an application that enqueues jobs. */
export class QueueProof {
  private readonly closers: (() => Promise<unknown>)[] = [];
  private readonly workers: ServiceProcess[] = [];
  private env: Record<string, string> = {};
  private cwd = '';
  private app: INestApplicationContext | undefined;

  constructor(private readonly options: ProofOptions) {}

  async run(onProof: (proof: Proof) => void): Promise<void> {
    try {
      await this.start();
      onProof(await this.hundredAtOnce());
      onProof(await this.spacedTries());
      onProof(await this.rateLimit());
      onProof(await this.killedWorkers());
    } finally {
      for (const close of this.closers.reverse()) await close();
    }
  }

  private async start(): Promise<void> {
    this.cwd = await mkdtemp(join(tmpdir(), 'colloquy-queues-'));
    this.closers.push(() => rm(this.cwd, { recursive: true, force: true }));
    const store = await StoreProcess.start(this.options.storeChild, this.cwd);
    this.closers.push(() => store.kill());
    this.env = { LOG_LEVEL: 'silent', MONGODB_URI: store.uri, DATA_DIR: join(this.cwd, 'data') };
    if (this.options.driver === 'redis') {
      const redis = await RedisProcess.start();
      this.closers.push(() => redis.remove());
      this.env['REDIS_URL'] = redis.url;
    }
    const app = await openProbeApp(this.env);
    this.app = app;
    this.closers.push(() => app.close());
    this.closers.push(() => Promise.all(this.workers.map((worker) => worker.kill('SIGKILL'))));
    await this.startWorker();
    await this.startWorker();
  }

  private async startWorker(): Promise<void> {
    const { workerChild } = this.options;
    this.workers.push(await ServiceProcess.start({ main: workerChild, cwd: this.cwd, env: this.env }));
  }

  private get opened(): INestApplicationContext {
    if (!this.app) throw new Error('the application of the proof is not open');
    return this.app;
  }

  private enqueue(queue: QueueDefinition<ProbePayload>, round: string, count: number): Promise<unknown> {
    const queues = this.opened.get(QueueService);
    return Promise.all(Array.from({ length: count }, (_, n) => queues.enqueue(queue, TENANT, { n, round })));
  }

  /** The attempts of a round, once `isDone` reports that the round is complete. */
  private async events(
    queue: string,
    round: string,
    isDone: (events: ProbeEvent[]) => boolean,
  ): Promise<ProbeEvent[]> {
    const log = this.opened.get(ProbeLog);
    for (;;) {
      const events = await log.read(queue, round);
      if (isDone(events)) return events;
      await delay(50);
    }
  }

  private async hundredAtOnce(): Promise<Proof> {
    const begun = Date.now();
    await this.enqueue(parallel, 'only', PARALLEL);
    const events = await this.events(
      'parallel',
      'only',
      (all) => all.filter(({ ended }) => ended !== undefined).length >= PARALLEL,
    );
    const most = mostAtOnce(events);
    return {
      claim: `${PARALLEL} jobs of ${seconds(PARALLEL_MS)} each run at the same time`,
      holds: most === PARALLEL && events.length === PARALLEL,
      figures: `${most} at the same time, all finished ${seconds(Date.now() - begun)} after the first was enqueued`,
    };
  }

  private async spacedTries(): Promise<Proof> {
    await this.enqueue(spaced, 'only', SPACED);
    const events = await this.events('spaced', 'only', (all) => all.length >= SPACED * 3);
    const gaps = [1, 2].map((attempt) => spreadOf(gapsAfter(events, attempt)));
    const least = (retry: number): number => spacing.baseMs * 2 ** (retry - 1) * (1 - spacing.jitter);
    const figures = gaps.map(
      ({ least: min, mean, most }, index) =>
        `after attempt ${index + 1} ${seconds(mean)} (${seconds(min)} to ${seconds(most)})`,
    );
    return {
      claim: `three failing attempts are ${seconds(spacing.baseMs)} and ${seconds(2 * spacing.baseMs)} apart, minus up to ${spacing.jitter * 100} %`,
      holds: events.length === SPACED * 3 && gaps.every((gap, index) => gap.least >= least(index + 1)),
      figures: `${SPACED} jobs: ${figures.join(', ')}`,
    };
  }

  private async rateLimit(): Promise<Proof> {
    const { limitedJobs } = this.options;
    await this.enqueue(limited, 'only', limitedJobs);
    const events = await this.events('limited', 'only', (all) => all.length >= limitedJobs);
    const rate = rateOf(events);
    const expected = (limit.max * 1000) / limit.perMs;
    const pids = new Set(events.map(({ pid }) => pid)).size;
    return {
      claim: `a limit of ${expected} per second is kept within 10 % across two workers`,
      holds: Math.abs(rate / expected - 1) <= 0.1 && events.length === limitedJobs,
      figures: `${limitedJobs} jobs at ${rate.toFixed(2)} per second by ${pids} processes`,
    };
  }

  private async killedWorkers(): Promise<Proof> {
    const waits: number[] = [];
    let isOnce = true;
    for (let kill = 0; kill < this.options.kills; kill++) {
      const round = `kill ${kill}`;
      await this.enqueue(killed, round, 1);
      const [first] = await this.events('killed', round, (all) => all.length === 1);
      const place = this.workers.findIndex(({ pid }) => pid === first?.pid);
      const [victim] = this.workers.splice(place, 1);
      const at = Date.now();
      await victim?.kill('SIGKILL');
      await this.startWorker();
      const events = await this.events('killed', round, (all) =>
        all.some(({ ended }) => ended !== undefined),
      );
      waits.push((events[1]?.began ?? NaN) - at);
      isOnce &&= events.length === 2;
    }
    const { least, mean, most } = spreadOf(waits);
    return {
      claim: 'a job whose worker is killed while running it runs once more after its lease of 30 s expires',
      holds: isOnce && most <= LEASE_MS + LOOK_MS,
      figures: `${waits.length} kills: restarted ${seconds(mean)} after the kill (${seconds(least)} to ${seconds(most)})`,
    };
  }
}
