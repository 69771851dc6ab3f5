import { Inject, Injectable } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { ARCHIVE_SETTINGS, type ArchiveSettings } from '../config/index.js';
import { TransactionRunner } from '../database/index.js';
import { LOGGER, type Logger } from '../logging/index.js';
import { QueueService } from '../queue/index.js';
import { ALL_TENANTS, archiveRuns } from './archive.queue.js';
import { ARCHIVE_LEASE } from './archive-run.service.js';
import { Schedules } from './schedule.js';

const CHECK_INTERVAL_MS = 30_000;

/**
 * Starts a run at the times of ARCHIVE_SCHEDULE. Every process checks whether one is due; the one that
 * notices it first enqueues the run, in the same transaction in which it takes note of it.
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
        'could not check whether an archive run is due; the next check retries',
      );
    }
  }

  /** Enqueues a run if one is due at `now`, and returns for which time. */
  async startIfDue(now: Date): Promise<Date | undefined> {
    const { ARCHIVE_SCHEDULE: expression, ARCHIVE_TIME_ZONE: zone } = this.settings;
    if (expression === null) return undefined;
    const due = await this.transactions.run(async () => {
      const time = await this.schedules.claimTime(ARCHIVE_LEASE, expression, zone, now);
      if (time) await this.queues.enqueue(archiveRuns, ALL_TENANTS, { dryRun: false });
      return time;
    });
    if (due) this.logger.info({ due }, 'scheduled archive run enqueued');
    return due;
  }
}
