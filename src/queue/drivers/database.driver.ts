import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { LOGGER, type Logger } from '../../logging/index.js';
import { JobRunner } from '../job-runner.js';
import { JobRepository } from '../job.repository.js';
import type { JobRecord } from '../job.schema.js';
import type { RegisteredQueue } from '../queue-registry.js';
import { RateLimitRepository } from '../rate-limit.repository.js';
import type { QueueDriver } from './queue-driver.js';
import { QueueWorker } from './queue-worker.js';

/**
 * Runs jobs without Redis: workers claim them in the database, one at a time, with leases that expire.
 * Suitable for one or a few machines. A worker is notified immediately of jobs stored by its own process, and
 * polls every few seconds for those of other processes.
 */
@Injectable()
export class DatabaseDriver implements QueueDriver {
  readonly kind = 'database';
  private readonly workers = new Map<string, QueueWorker>();
  private readonly self = randomUUID();

  constructor(
    private readonly jobs: JobRepository,
    private readonly runner: JobRunner,
    private readonly limits: RateLimitRepository,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  start(queues: readonly RegisteredQueue[]): Promise<void> {
    for (const queue of queues) {
      const { jobs, runner, limits, logger } = this;
      const worker = new QueueWorker(queue, this.self, { jobs, runner, limits, logger });
      this.workers.set(queue.definition.name, worker);
      worker.wake();
    }
    return Promise.resolve();
  }

  stored({ queue }: JobRecord): Promise<void> {
    this.workers.get(queue)?.wake();
    return Promise.resolve();
  }

  /** Nothing is kept outside of the records. */
  forget(): Promise<void> {
    return Promise.resolve();
  }

  async stop(graceMs: number): Promise<void> {
    await Promise.all([...this.workers.values()].map((worker) => worker.stop(graceMs)));
  }
}
