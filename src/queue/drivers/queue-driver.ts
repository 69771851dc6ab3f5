import type { JobRecord } from '../job.schema.js';
import type { RegisteredQueue } from '../queue-registry.js';

/** Injection token of the driver selected by the settings. */
export const QUEUE_DRIVER = Symbol('QUEUE_DRIVER');

/**
 * Decides which process runs which job, and when. With every driver the database is the source of truth for
 * jobs: what a driver loses is restored from it.
 */
export interface QueueDriver {
  readonly kind: 'database' | 'redis';

  /** Starts processing these queues. */
  start(queues: readonly RegisteredQueue[]): Promise<void>;

  /**
   * Notifies the driver that a job was stored and its transaction has committed. Also called in processes
   * that run no jobs. Never rejects.
   */
  stored(job: JobRecord): Promise<void>;

  /**
   * Forgets jobs whose records are about to be deleted. Never rejects: what remains is ignored when its record
   * is not found.
   */
  forget(jobs: readonly Pick<JobRecord, '_id' | 'queue'>[]): Promise<void>;

  /** Accepts no more jobs. Waits up to `graceMs` for running jobs, then releases them. */
  stop(graceMs: number): Promise<void>;
}
