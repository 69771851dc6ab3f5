import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { SchedulerRegistry } from '@nestjs/schedule';
import { TRANSCRIPT_SETTINGS, type TranscriptSettings } from '../config/index.js';
import { LOGGER, type Logger } from '../logging/index.js';
import { TranscriptStore } from './transcript-store.js';
import { TranscriptRepository } from './transcript.repository.js';

const SWEEP_JOB = 'transcript-tombstones';
const TENANTS = 100;

/** Maximum number of tombstones deleted in one transaction. */
const BATCH = 500;
const DAY_MS = 86_400_000;

/**
 * Deletes tombstones older than TRANSCRIPT_TOMBSTONE_DAYS. Every process sweeps; deletions are idempotent,
 * and a process that finds nothing only reads.
 */
@Injectable()
export class TombstoneSweeper implements OnModuleInit, OnModuleDestroy {
  private running: Promise<number> | undefined;
  private stopped = false;

  constructor(
    private readonly transcripts: TranscriptRepository,
    private readonly store: TranscriptStore,
    private readonly scheduler: SchedulerRegistry,
    @Inject(TRANSCRIPT_SETTINGS) private readonly settings: TranscriptSettings,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onModuleInit(): void {
    const timer = setInterval(() => {
      this.sweep(new Date()).catch((error: unknown) => {
        this.logger.warn(
          { err: error },
          'could not delete old transcript tombstones; the next sweep retries',
        );
      });
    }, this.settings.TRANSCRIPT_SWEEP_INTERVAL_MS);
    timer.unref();
    this.scheduler.addInterval(SWEEP_JOB, timer);
  }

  /** Waits for the transaction in progress. */
  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    if (this.scheduler.doesExist('interval', SWEEP_JOB)) this.scheduler.deleteInterval(SWEEP_JOB);
    await this.running?.catch(() => undefined);
  }

  /**
   * Deletes the tombstones that are old enough at `now` and returns their number. A call during a sweep
   * returns that sweep's result.
   */
  sweep(now: Date): Promise<number> {
    this.running ??= this.run(
      new Date(now.getTime() - this.settings.TRANSCRIPT_TOMBSTONE_DAYS * DAY_MS),
    ).finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  private async run(before: Date): Promise<number> {
    let removed = 0;
    let tenants: string[] = [];
    do {
      tenants = await this.transcripts.tenantsAfter(tenants.at(-1) ?? '', TENANTS);
      for (const tenantId of tenants) removed += await this.ofTenant(tenantId, before);
    } while (tenants.length === TENANTS && !this.stopped);
    if (removed > 0) this.logger.info({ removed }, 'deleted old transcript tombstones');
    return removed;
  }

  private async ofTenant(tenantId: string, before: Date): Promise<number> {
    let removed = 0;
    let found = BATCH;
    while (found === BATCH && !this.stopped) {
      found = await this.store.forget(tenantId, before, BATCH);
      removed += found;
    }
    return removed;
  }
}
