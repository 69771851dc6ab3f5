import { Inject, Injectable } from '@nestjs/common';
import { ARCHIVE_SETTINGS, type ArchiveSettings } from '../../config/index.js';
import { type Job, type JobProcessor, ProcessorOf, UnrecoverableError } from '../../queue/index.js';
import { type BackupReport, BackupService } from './backup.service.js';
import { backupRuns } from './backup.queue.js';

@Injectable()
@ProcessorOf(backupRuns)
export class BackupProcessor implements JobProcessor<object> {
  constructor(
    private readonly backups: BackupService,
    @Inject(ARCHIVE_SETTINGS) private readonly settings: ArchiveSettings,
  ) {}

  async process({ signal }: Job<object>): Promise<BackupReport> {
    const { BACKUP_DIR: outDir } = this.settings;
    if (outDir === undefined) throw new UnrecoverableError('BACKUP_DIR is not set in this process.');
    return this.backups.run({ outDir, signal });
  }
}
