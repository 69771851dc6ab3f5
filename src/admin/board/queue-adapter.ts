import { BaseAdapter } from '@bull-board/api/dist/queueAdapters/base.js';
import type {
  JobCleanStatus,
  JobCounts,
  JobStatus,
  QueueJob,
  QueueMetrics,
  Status,
} from '@bull-board/api/dist/types.js';
import type { JobState, QueueService } from '../../queue/index.js';
import { boardJob } from './board-job.js';
import { duration } from './duration.js';

/** Maximum number of jobs of each state in one response. */
const MAX_JOBS = 200;

const states: readonly JobState[] = ['active', 'waiting', 'completed', 'failed', 'delayed'];

const isState = (status: JobStatus): status is JobStatus & JobState =>
  (states as readonly string[]).includes(status);

const notOffered = (): Promise<never> =>
  Promise.reject(new Error('The queue dashboard does not support this.'));

/**
 * Adapts one queue for Bull Board. It reads the rows in the database, which hold the jobs with both drivers.
 * Actions are performed by the queue module, so that the database and Redis stay consistent.
 */
export class QueueAdapter extends BaseAdapter {
  private oldestWaitingMs: number | null = null;

  constructor(
    private readonly queue: string,
    private readonly queues: QueueService,
    private readonly redisInfo: () => Promise<string | null>,
  ) {
    // Of the two types that the board supports, this is the one that needs fewer features.
    super('bull', { allowCompletedRetries: false });
  }

  getName(): string {
    return this.queue;
  }

  override getDescription(): string {
    return this.oldestWaitingMs === null
      ? 'no jobs waiting'
      : `oldest job waiting for ${duration(this.oldestWaitingMs)}`;
  }

  async getJobCounts(): Promise<JobCounts> {
    const { counts, oldestWaitingMs } = await this.queues.status(this.queue);
    this.oldestWaitingMs = oldestWaitingMs;
    return { latest: 0, 'waiting-children': 0, prioritized: 0, paused: 0, ...counts };
  }

  async getJob(id: string): Promise<QueueJob | null> {
    if (!/^[0-9a-f]{24}$/.test(id)) return null;
    const record = await this.queues.find(this.queue, id);
    return record && boardJob(record, this.queues, 'whole');
  }

  async getJobs(statuses: JobStatus[], start = 0, end = MAX_JOBS - 1): Promise<QueueJob[]> {
    const limit = Math.min(MAX_JOBS, Math.max(0, end - start + 1));
    if (limit === 0) return [];
    const lists = await Promise.all(
      statuses.filter(isState).map((state) => this.queues.slice(this.queue, state, start, limit)),
    );
    const records = lists.flat();
    if (lists.length > 1) records.sort((a, b) => b.updatedAt.getTime() - a.updatedAt.getTime());
    return records.map((record) => boardJob(record, this.queues, 'row'));
  }

  async clean(status: JobCleanStatus): Promise<void> {
    if (status !== 'completed' && status !== 'failed') return notOffered();
    await this.queues.clear(this.queue, status);
  }

  async promoteAll(): Promise<void> {
    for (;;) {
      const delayed = await this.queues.slice(this.queue, 'delayed', 0, MAX_JOBS);
      if (delayed.length === 0) return;
      for (const record of delayed) await boardJob(record, this.queues, 'row').promote();
    }
  }

  getStatuses(): Status[] {
    return ['latest', ...states] as Status[];
  }

  getJobStatuses(): JobStatus[] {
    return [...states] as JobStatus[];
  }

  getRedisInfo(): Promise<string | null> {
    return this.redisInfo();
  }

  getJobLogs(): Promise<string[]> {
    return Promise.resolve([]);
  }

  getMetrics(): Promise<QueueMetrics> {
    return notOffered();
  }

  isPaused(): Promise<boolean> {
    return Promise.resolve(false);
  }

  getGlobalConcurrency(): Promise<null> {
    return Promise.resolve(null);
  }

  getJobSchedulers(): Promise<[]> {
    return Promise.resolve([]);
  }

  getJobSchedulersCount(): Promise<number> {
    return Promise.resolve(0);
  }

  addJob = notOffered;
  pause = notOffered;
  resume = notOffered;
  empty = notOffered;
  obliterate = notOffered;
  removeJobScheduler = notOffered;
  updateJobScheduler = notOffered;
  runJobSchedulerNow = notOffered;
  setGlobalConcurrency = notOffered;
}
