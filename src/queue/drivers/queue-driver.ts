import type { JobRecord } from '../job.schema.js';
import type { RegisteredQueue } from '../queue-registry.js';

/** Injection token of the driver that the settings choose. */
export const QUEUE_DRIVER = Symbol('QUEUE_DRIVER');

/**
 * Decides which process runs which job, and when. The record of jobs is the database with every driver: what a driver forgets, it
 * finds there again.
 */
export interface QueueDriver {
  readonly kind: 'database' | 'redis';

  /** Begins to do the work of these queues. */
  start(queues: readonly RegisteredQueue[]): Promise<void>;

  /** A job was stored, and its transaction has committed; also in processes that do no work themselves. Never rejects. */
  stored(job: JobRecord): Promise<void>;

  /** Takes no more work, and ends what is at work or hands it back within `graceMs`. */
  stop(graceMs: number): Promise<void>;
}
