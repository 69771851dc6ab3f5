import { Inject, Injectable } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { LOGGER, type Logger } from '../../src/logging/index.js';
import { NoteRepository } from './note.repository.js';

const HOUR_MS = 3_600_000;
const KEEP_MS = 365 * 24 * HOUR_MS;

/**
 * Deletes notes that are older than a year, every hour. Every process does so: notes that another process has
 * deleted are not found again.
 */
@Injectable()
export class NoteCleanup {
  constructor(
    private readonly notes: NoteRepository,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  @Interval(HOUR_MS)
  async run(): Promise<void> {
    try {
      const deleted = await this.notes.deleteCreatedBefore(new Date(Date.now() - KEEP_MS));
      if (deleted > 0) this.logger.info({ deleted }, 'old notes deleted');
    } catch (error) {
      this.logger.warn({ err: error }, 'old notes could not be deleted; the next run tries again');
    }
  }
}
