import { Inject, Injectable } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { ARCHIVE_SETTINGS, type ArchiveSettings } from '../config/index.js';
import { TransactionRunner } from '../database/index.js';
import { LOGGER, type Logger } from '../logging/index.js';
import { type QueueDefinition, QueueService } from '../queue/index.js';
import { ALL_TENANTS, archiveRuns } from './archive.queue.js';
import { backupRuns } from './backup/backup.queue.js';
import { ARCHIVE_LEASE } from './archive-run.service.js';
import { Schedules } from './schedule.js';

const CHECK_INTERVAL_MS = 30_000;

/**
 * Starts archive runs at the times of ARCHIVE_SCHEDULE, and backups at those of BACKUP_SCHEDULE. Every process
 * checks whether one is due; the first process records the time and enqueues the job in one transaction.
 */
@Injectable()
export class ArchiveScheduler {
  constructor(
    private readonly schedules: Schedules,
    private readonly queues: QueueService,
    private readonly transactions: TransactionRunner,
    @Inject(ARCHIVE_SETTINGS) private readonly settings: ArchiveSettings,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  @Interval('archive-schedule', CHECK_INTERVAL_MS)
  async check(): Promise<void> {
    try {
      await this.startIfDue(new Date());
    } catch (error) {
      this.logger.warn(
        { err: error },
        'could not check whether an archive run or backup is due; the next check retries',
      );
    }
  }

  /** Enqueues what is due at `now`, and returns the names of the queues. */
  async startIfDue(now: Date): Promise<string[]> {
    const { ARCHIVE_SCHEDULE, BACKUP_SCHEDULE, BACKUP_DIR } = this.settings;
    const started = [
      await this.enqueueIfDue(ARCHIVE_LEASE, ARCHIVE_SCHEDULE, now, archiveRuns, { dryRun: false }),
      BACKUP_DIR !== undefined && (await this.enqueueIfDue('backup', BACKUP_SCHEDULE, now, backupRuns, {})),
    ];
    return started.filter((name) => typeof name === 'string');
  }

  private async enqueueIfDue<Payload>(
    schedule: string,
    expression: string | null,
    now: Date,
    queue: QueueDefinition<Payload>,
    payload: Payload,
  ): Promise<string | undefined> {
    if (expression === null) return undefined;
    const due = await this.transactions.run(async () => {
      const time = await this.schedules.claimTime(schedule, expression, this.settings.ARCHIVE_TIME_ZONE, now);
      if (time) await this.queues.enqueue(queue, ALL_TENANTS, payload);
      return time;
    });
    if (!due) return undefined;
    this.logger.info({ due, queue: queue.name }, 'scheduled job enqueued');
    return queue.name;
  }
}
