import { getQueueToken } from '@nestjs/bullmq';
import type { INestApplicationContext, Type } from '@nestjs/common';
import type { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { Types } from 'mongoose';
import { z } from 'zod';
import { TransactionRunner } from '../../src/database/index.js';
import { type ReportDetails, silentReporter } from '../../src/logging/index.js';
import { Monitoring } from '../../src/monitoring/index.js';
import {
  defineQueue,
  type Job,
  type QueueDeclaration,
  QueueService,
  QueueWorkers,
  UnrecoverableError,
} from '../../src/queue/index.js';
import type { JobRecord } from '../../src/queue/job.schema.js';
import { RedisService } from '../../src/redis/index.js';
import { createTestApp } from '../support/app.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { processorOf } from '../support/processor-of.js';
import { describeWithRedis, type RedisProcess, redisPrefix, startRedis } from '../support/redis.js';

const payload = z.strictObject({ n: z.number() });
type Payload = z.output<typeof payload>;

const tenantId = 'acme';

interface QueueApp {
  app: INestApplicationContext;
  queues: QueueService;
  workers: QueueWorkers;
  close(): Promise<void>;
}

let settings: Readonly<Record<string, string>> = {};
let database: TestDatabase;
let apps: QueueApp[];
let report: jest.Mock<string, [unknown, ReportDetails?]>;
let work: jest.Mock<Promise<unknown>, [Job<Payload>]>;

const numbers = defineQueue({
  name: 'numbers',
  payload,
  attempts: 3,
  backoff: { baseMs: 40, maxMs: 1000, jitter: 0 },
  concurrency: 100,
  keep: { completed: 1000, failed: 1000 },
});
/** A process with these queues. It processes no jobs until `workers.start()`. */
const startApp = async (
  queues: readonly QueueDeclaration[],
  processors: readonly Type[],
  more: Readonly<Record<string, string>> = {},
): Promise<QueueApp> => {
  const errors = { ...silentReporter, report };
  const test = await createTestApp(
    { WORKERS: 'off', ...settings, ...more },
    { database, queues, processors, errors },
  );
  const { app } = test;
  return {
    app,
    queues: app.get(QueueService),
    workers: app.get(QueueWorkers),
    close: () => test.close(),
  };
};
const open = async (definition = numbers): Promise<QueueApp> => {
  const app = await startApp([definition], [processorOf(definition, (job: Job<Payload>) => work(job))]);
  apps.push(app);
  return app;
};
const row = async (id: string): Promise<JobRecord> => {
  const found = await database.collection<JobRecord>('jobs').findOne({ _id: new Types.ObjectId(id) });
  if (!found) throw new Error('no such job');
  return found;
};
const allEnded = (count: number): Promise<void> =>
  eventually(async () => {
    const finished = { state: { $in: ['completed', 'failed'] } };
    return (await database.collection('jobs').countDocuments(finished)) === count;
  });
const ended = (id: string): Promise<void> =>
  eventually(async () => ['completed', 'failed'].includes((await row(id)).state));

beforeAll(() => {
  database = createTestDatabase();
});
beforeEach(() => {
  apps = [];
  report = jest.fn<string, [unknown, ReportDetails?]>(() => 'an id');
  work = jest.fn(({ payload: { n } }) => Promise.resolve({ twice: 2 * n }));
});
afterEach(async () => {
  await Promise.all(apps.map((app) => app.close()));
  await Promise.all(['jobs', 'queue_rate_limits'].map((name) => database.collection(name).deleteMany({})));
});
afterAll(() => database.drop());

function promisesOfQueues(): void {
  it('processes a job and keeps its result, visible only to its tenant', async () => {
    const { queues, workers } = await open();
    await workers.start();
    const { id, isNew } = await queues.enqueue(numbers, tenantId, { n: 4 });
    expect(isNew).toBe(true);
    await ended(id);
    expect(await queues.get(tenantId, 'numbers', id)).toMatchObject({
      state: 'completed',
      result: { twice: 8 },
      progress: 100,
      attempts: 1,
    });
    expect(work.mock.calls[0]?.[0]).toMatchObject({ id, tenantId, queue: 'numbers', attempt: 1 });
    await expect(queues.get('other', 'numbers', id)).rejects.toMatchObject({ problem: { status: 404 } });
    await expect(queues.get(tenantId, 'unheard-of', id)).rejects.toMatchObject({
      problem: { code: 'job_not_found' },
    });
  });

  it('stores no job of a rolled-back transaction, and always stores the job of a committed one', async () => {
    const { app, queues, workers } = await open();
    await workers.start();
    const transactions = app.get(TransactionRunner);
    await expect(
      transactions.run(async () => {
        await queues.enqueue(numbers, tenantId, { n: 1 });
        throw new Error('rolled back');
      }),
    ).rejects.toThrow('rolled back');
    const { id } = await transactions.run(async () => {
      const job = await queues.enqueue(numbers, tenantId, { n: 2 });
      // No job is visible before the commit.
      expect(work).not.toHaveBeenCalled();
      return job;
    });
    await ended(id);
    expect(await database.collection('jobs').countDocuments()).toBe(1);
    expect(work).toHaveBeenCalledTimes(1);
  });

  it('retries with exponential backoff, then keeps the job as failed, and runs it again on request', async () => {
    const { queues, workers } = await open();
    const times: number[] = [];
    work.mockImplementation(() => {
      times.push(Date.now());
      return Promise.reject(new Error('no luck'));
    });
    await workers.start();
    const { id } = await queues.enqueue(numbers, tenantId, { n: 1 });
    await ended(id);
    expect(await row(id)).toMatchObject({ state: 'failed', attempts: 3 });
    expect((await row(id)).failures.map(({ attempt, message }) => [attempt, message])).toEqual([
      [1, 'no luck'],
      [2, 'no luck'],
      [3, 'no luck'],
    ]);
    const [first = 0, second = 0, third = 0] = times;
    expect(second - first).toBeGreaterThanOrEqual(40);
    expect(third - second).toBeGreaterThanOrEqual(80);
    const tags = {
      tenantId,
      requestId: `job-${id}`,
      queue: 'numbers',
      jobId: id,
      attempts: 3,
      maxAttempts: 3,
    };
    expect(report.mock.calls).toEqual([[new Error('no luck'), { tags }]]);

    work.mockResolvedValue('at last');
    await queues.retry('numbers', id);
    await ended(id);
    expect(await row(id)).toMatchObject({ state: 'completed', result: 'at last', attempts: 1 });
    await expect(queues.retry('numbers', id)).rejects.toMatchObject({ problem: { code: 'job_not_failed' } });
  });

  it('reports waiting jobs and the outcomes of attempts to Prometheus', async () => {
    const { app, queues, workers } = await open();
    const metric = async (name: string, labels: Record<string, string>): Promise<number | undefined> => {
      const found = (await app.get(Monitoring).registry.getSingleMetric(name)?.get())?.values ?? [];
      return found.find((value: { metricName?: string; labels: object }) => {
        const isSum = value.metricName === undefined || value.metricName.endsWith('_count');
        return isSum && JSON.stringify(value.labels) === JSON.stringify({ queue: 'numbers', ...labels });
      })?.value;
    };
    await queues.enqueue(numbers, tenantId, { n: 1 }, { delayMs: 3_600_000 });
    work.mockRejectedValueOnce(new UnrecoverableError('bad'));
    await queues.enqueue(numbers, tenantId, { n: 2 });
    await workers.start();
    await allEnded(1);
    await queues.enqueue(numbers, tenantId, { n: 3 });
    await allEnded(2);
    await eventually(
      async () => (await metric('colloquy_queue_job_duration_seconds', { outcome: 'completed' })) === 1,
    );
    expect(await metric('colloquy_queue_job_duration_seconds', { outcome: 'failed' })).toBe(1);
    expect(await metric('colloquy_queue_job_wait_seconds', {})).toBe(2);
    expect(await metric('colloquy_queue_jobs', { state: 'delayed' })).toBe(1);
    expect(await metric('colloquy_queue_jobs', { state: 'failed' })).toBe(1);
    expect(await metric('colloquy_queue_jobs', { state: 'completed' })).toBe(1);
    expect(await metric('colloquy_queue_oldest_waiting_seconds', {})).toBe(0);
    expect((await app.get(Monitoring).metricsText()).body).toContain('# TYPE colloquy_queue_jobs gauge');
  });

  it('provides the queue of BullMQ under the token of @nestjs/bullmq, if there is one', async () => {
    const { app } = await open();
    const queue = app.get<Queue | undefined>(getQueueToken('numbers'), { strict: false });
    expect(queue?.name).toBe('REDIS_URL' in settings ? 'numbers' : undefined);
    if (queue) expect(await queue.getJobCounts('waiting')).toEqual({ waiting: 0 });
  });

  it('does not retry jobs that cannot succeed: unrecoverable errors and invalid payloads', async () => {
    const { queues, workers } = await open();
    work.mockRejectedValue(new UnrecoverableError('gone for good'));
    const unrecoverable = await queues.enqueue(numbers, tenantId, { n: 1 });
    const misfit = await queues.enqueue(numbers, tenantId, { n: 2 });
    const stored = await row(misfit.id);
    await database.collection('jobs').updateOne({ _id: stored._id }, { $set: { payload: { n: 'two' } } });
    await workers.start();
    await Promise.all([ended(unrecoverable.id), ended(misfit.id)]);
    expect(await row(unrecoverable.id)).toMatchObject({ state: 'failed', attempts: 1 });
    expect((await row(misfit.id)).failures[0]?.message).toMatch(/payload does not match/);
    expect(work).toHaveBeenCalledTimes(1);
    expect(report.mock.calls.map(([error]) => error)).toEqual([
      expect.any(UnrecoverableError),
      expect.any(UnrecoverableError),
    ]);
    await expect(queues.enqueue(numbers, tenantId, { n: 'x' } as unknown as Payload)).rejects.toThrow(
      TypeError,
    );
  });

  it('aborts an attempt that takes too long', async () => {
    const slow = defineQueue({ name: 'slow', payload, attempts: 1, timeoutMs: 50 });
    const { queues, workers } = await open(slow);
    work.mockImplementation(
      ({ signal }) =>
        new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => {
            reject(signal.reason as Error);
          }),
        ),
    );
    await workers.start();
    const { id } = await queues.enqueue(slow, tenantId, { n: 1 });
    await ended(id);
    expect((await row(id)).failures[0]?.message).toMatch(/longer than 50 ms/);
  });

  it('runs jobs by priority, then by age, and delayed jobs when they are due', async () => {
    const oneByOne = defineQueue({ name: 'one-by-one', payload, concurrency: 1 });
    const { queues, workers } = await open(oneByOne);
    const begun = new Map<number, number>();
    work.mockImplementation(({ payload: { n } }) => Promise.resolve(begun.set(n, Date.now()).size));
    const from = Date.now();
    const delayed = await queues.enqueue(oneByOne, tenantId, { n: 9 }, { delayMs: 300, priority: 0 });
    await queues.enqueue(oneByOne, tenantId, { n: 3 });
    await queues.enqueue(oneByOne, tenantId, { n: 4 });
    await queues.enqueue(oneByOne, tenantId, { n: 1 }, { priority: 0 });
    await queues.enqueue(oneByOne, tenantId, { n: 5 }, { priority: 10 });
    expect((await row(delayed.id)).state).toBe('delayed');
    await workers.start();
    await ended(delayed.id);
    await allEnded(5);
    expect([...begun.keys()].filter((n) => n !== 9)).toEqual([1, 3, 4, 5]);
    expect(begun.get(9)).toBeGreaterThanOrEqual(from + 300);
  });

  it('stores one unfinished job per key, also when many clients enqueue it concurrently', async () => {
    const keyed = defineQueue({ name: 'keyed', payload, dedupeKey: ({ n }) => `n${n}` });
    const { queues, workers } = await open(keyed);
    const jobs = await Promise.all(
      Array.from({ length: 20 }, () => queues.enqueue(keyed, tenantId, { n: 1 })),
    );
    expect(new Set(jobs.map(({ id }) => id)).size).toBe(1);
    expect(jobs.filter(({ isNew }) => isNew)).toHaveLength(1);
    expect((await queues.enqueue(keyed, 'other', { n: 1 })).isNew).toBe(true);
    await workers.start();
    await ended(jobs[0]?.id ?? '');
    expect((await queues.enqueue(keyed, tenantId, { n: 1 })).isNew).toBe(true);
  });

  it('runs 100 jobs concurrently in one process', async () => {
    const { queues, workers } = await open();
    let atWork = 0;
    let most = 0;
    let letGo!: () => void;
    const gate = new Promise<void>((resolve) => (letGo = resolve));
    work.mockImplementation(async () => {
      most = Math.max(most, ++atWork);
      if (atWork === 100) letGo();
      await gate;
      atWork--;
    });
    await Promise.all(Array.from({ length: 100 }, (_, n) => queues.enqueue(numbers, tenantId, { n })));
    await workers.start();
    await allEnded(100);
    expect(most).toBe(100);
    expect(work).toHaveBeenCalledTimes(100);
  });

  it('never gives a tenant more than half of the places while another one waits', async () => {
    const few = defineQueue({ name: 'few', payload, concurrency: 4, keep: numbers.keep });
    const { queues, workers } = await open(few);
    const atWork = new Map<string, number>();
    let letGo!: () => void;
    const gate = new Promise<void>((resolve) => (letGo = resolve));
    work.mockImplementation(async ({ tenantId: of }) => {
      atWork.set(of, (atWork.get(of) ?? 0) + 1);
      await gate;
    });
    for (let n = 0; n < 50; n++) await queues.enqueue(few, 'noisy', { n });
    for (let n = 0; n < 3; n++) await queues.enqueue(few, 'quiet', { n });
    await workers.start();
    await eventually(() => [...atWork.values()].reduce((sum, one) => sum + one, 0) === 4);
    expect([...atWork]).toEqual(
      expect.arrayContaining([
        ['noisy', 2],
        ['quiet', 2],
      ]),
    );
    letGo();
    await allEnded(53);
  });

  it('runs each job once when three processes are running workers', async () => {
    const three = [await open(), await open(), await open()];
    await Promise.all(three.map(({ workers }) => workers.start()));
    await Promise.all(
      Array.from({ length: 60 }, async (_, n) => three[n % 3]?.queues.enqueue(numbers, tenantId, { n })),
    );
    await allEnded(60);
    expect(work.mock.calls.map(([job]) => job.payload.n).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 60 }, (_, n) => n),
    );
  });

  it('releases jobs at shutdown that do not finish in time, without counting the attempt', async () => {
    const first = await startApp([numbers], [processorOf(numbers, (job: Job<Payload>) => work(job))], {
      SHUTDOWN_GRACE_MS: '50',
    });
    let begun!: () => void;
    const began = new Promise<void>((resolve) => (begun = resolve));
    work.mockImplementationOnce(() => {
      begun();
      return new Promise(() => undefined);
    });
    await first.workers.start();
    const { id } = await first.queues.enqueue(numbers, tenantId, { n: 1 });
    await began;
    await first.close();
    expect(await row(id)).toMatchObject({ state: 'waiting', attempts: 0 });
    const second = await open();
    await second.workers.start();
    await ended(id);
    expect(await row(id)).toMatchObject({ state: 'completed', attempts: 1 });
  });

  it('starts no more jobs than the rate limit allows across all processes', async () => {
    const limited = defineQueue({ name: 'limited', payload, rateLimit: { max: 5, perMs: 400 } });
    const two = [await open(limited), await open(limited)];
    const begun: number[] = [];
    work.mockImplementation(() => Promise.resolve(begun.push(Date.now())));
    for (let n = 0; n < 15; n++) await two[0]?.queues.enqueue(limited, tenantId, { n });
    await Promise.all(two.map(({ workers }) => workers.start()));
    await allEnded(15);
    const sorted = begun.sort((a, b) => a - b);
    expect(sorted).toHaveLength(15);
    expect((sorted[14] ?? 0) - (sorted[0] ?? 0)).toBeGreaterThanOrEqual(650);
  });

  it('reports progress, and keeps only the newest finished jobs', async () => {
    const pruned = defineQueue({
      name: 'pruned',
      payload,
      keep: { completed: 3, failed: 3 },
      concurrency: 1,
    });
    const { queues, workers } = await open(pruned);
    work.mockImplementation(async (job) => {
      const { n } = job.payload;
      await job.progress(10 * n);
      if (n === 5)
        expect((await queues.list('pruned', 'active', 10)).data[0]).toMatchObject({ progress: 50 });
    });
    const ids: string[] = [];
    for (let n = 0; n < 51; n++) ids.push((await queues.enqueue(pruned, tenantId, { n })).id);
    await workers.start();
    await eventually(async () => (await database.collection('jobs').countDocuments()) <= 3);
    expect((await queues.list('pruned', 'completed', 10)).data.map(({ _id }) => _id.toHexString())).toEqual(
      ids.slice(-3).reverse(),
    );
    expect(await queues.list('pruned', 'failed', 10)).toMatchObject({ data: [] });
    expect((await queues.statuses()).find(({ name }) => name === 'pruned')).toMatchObject({
      counts: { completed: 3, waiting: 0 },
      oldestWaitingMs: null,
    });
  });
}

describe('queues on the database', () => {
  promisesOfQueues();

  it('lets tenants take turns, however many jobs one of them has stored', async () => {
    const few = defineQueue({ name: 'few', payload, concurrency: 4, keep: numbers.keep });
    const { queues, workers } = await open(few);
    const begun: string[] = [];
    work.mockImplementation(({ tenantId: of }) => Promise.resolve(begun.push(of)));
    for (let n = 0; n < 100; n++) await queues.enqueue(few, 'noisy', { n });
    for (let n = 0; n < 2; n++) await queues.enqueue(few, 'quiet', { n });
    await workers.start();
    await allEnded(102);
    expect(begun.lastIndexOf('quiet')).toBeLessThan(5);
  });

  it('does not start with a queue that has no processor or two, or with two queues of the same name', async () => {
    const other = defineQueue({ name: 'numbers', payload });
    const one = processorOf(numbers, () => Promise.resolve());
    const two = processorOf(numbers, () => Promise.resolve());
    await expect(startApp([numbers], [])).rejects.toThrow(/"numbers" has no processor/);
    await expect(startApp([numbers], [one, two])).rejects.toThrow(/two processors/);
    await expect(startApp([numbers, other], [one])).rejects.toThrow(/Two queues/);
    await expect(startApp([], [one])).rejects.toThrow(/no module declares/);
  });

  it('runs a job again after its worker was killed, once its lease has expired', async () => {
    const { queues, workers } = await open();
    const { id } = await queues.enqueue(numbers, tenantId, { n: 7 });
    const stored = await row(id);
    await database
      .collection('jobs')
      .updateOne(
        { _id: stored._id },
        { $set: { state: 'active', claim: 'of the dead', attempts: 1, dueAt: new Date(Date.now() + 300) } },
      );
    await workers.start();
    await ended(id);
    expect(await row(id)).toMatchObject({ state: 'completed', attempts: 2, result: { twice: 14 } });
    expect((await row(id)).dueAt.getTime()).toBeGreaterThanOrEqual(stored.dueAt.getTime() + 300);
  });

  it('gives up a job that crashes its worker every time', async () => {
    const { queues, workers } = await open();
    const { id } = await queues.enqueue(numbers, tenantId, { n: 7 });
    const stored = await row(id);
    await database
      .collection('jobs')
      .updateOne(
        { _id: stored._id },
        { $set: { state: 'active', claim: 'of the dead', attempts: 3, dueAt: new Date(0) } },
      );
    await workers.start();
    await ended(id);
    expect(await row(id)).toMatchObject({ state: 'failed' });
    expect(work).not.toHaveBeenCalled();
  });
});

describeWithRedis('queues on Redis', () => {
  let server: RedisProcess;

  beforeAll(async () => {
    server = await startRedis({ appendfsync: 'everysec' });
  });
  afterAll(async () => {
    settings = {};
    await server.remove();
  });
  beforeEach(() => {
    settings = {
      REDIS_URL: server.url,
      REDIS_KEY_PREFIX: redisPrefix(),
      REDIS_COMMAND_TIMEOUT_MS: '2000',
      REDIS_PROBE_INTERVAL_MS: '20',
    };
  });

  promisesOfQueues();

  it('runs a job committed during a Redis outage once Redis is back', async () => {
    const { app, queues, workers } = await open();
    await workers.start();
    await server.signal('SIGKILL');
    await eventually(() => !app.get(RedisService).available);
    const { id } = await queues.enqueue(numbers, tenantId, { n: 5 });
    expect(await row(id)).toMatchObject({ state: 'waiting', isUnhanded: true });
    await server.restart();
    await ended(id);
    expect(await row(id)).toMatchObject({ state: 'completed', result: { twice: 10 } });
    expect(work).toHaveBeenCalledTimes(1);
  });

  it('runs a job whose process died after storing it and before handing it over to Redis', async () => {
    const first = await open();
    const { id } = await first.queues.enqueue(numbers, tenantId, { n: 5 });
    await eventually(async () => (await row(id)).isUnhanded === undefined);
    const direct = new Redis(server.url);
    await direct.flushall();
    direct.disconnect();
    const stored = await row(id);
    await database.collection('jobs').updateOne({ _id: stored._id }, { $set: { isUnhanded: true } });
    const second = await open();
    await second.workers.start();
    await ended(id);
    expect(work).toHaveBeenCalledTimes(1);
  });

  it('hands over a job again that Redis has lost', async () => {
    const first = await open();
    const { id } = await first.queues.enqueue(numbers, tenantId, { n: 5 });
    await eventually(async () => (await row(id)).isUnhanded === undefined);
    const stored = await row(id);
    const direct = new Redis(server.url);
    await direct.flushall();
    direct.disconnect();
    const longAgo = new Date(Date.now() - 120_000);
    await database.collection('jobs').updateOne({ _id: stored._id }, { $set: { dueAt: longAgo } });
    const second = await open();
    await second.workers.start();
    await ended(id);
    expect(await row(id)).toMatchObject({ state: 'completed', attempts: 1 });
  });
});
