import { Inject, Injectable } from '@nestjs/common';
import { ARCHIVE_SETTINGS, type ArchiveSettings } from '../../config/index.js';
import {
  type Counts,
  type ExportedDocument,
  type Later,
  type ParticipantData,
  ParticipantHashes,
} from '../participant/index.js';
import { markBackups } from './erasure-marks.js';

const DAY_MS = 86_400_000;

/**
 * Marks the backups that still contain an erased participant, so that a restore erases it again. Must be
 * contributed last: a backup that was begun after the mark has to be without the participant.
 */
@Injectable()
export class BackupMarks implements ParticipantData {
  readonly name = 'backup';

  constructor(
    private readonly hashes: ParticipantHashes,
    @Inject(ARCHIVE_SETTINGS) private readonly settings: ArchiveSettings,
  ) {}

  async erase(tenantId: string, participantId: string): Promise<Counts> {
    const { BACKUP_DIR } = this.settings;
    const participantHash = await this.hashes.of(tenantId, participantId);
    if (BACKUP_DIR !== undefined)
      await markBackups(BACKUP_DIR, { tenantId, participantHash, erasedAt: new Date() });
    return {};
  }

  count(): Promise<Counts> {
    return Promise.resolve({});
  }

  /** What is in a backup is also in the database, or was erased. */
  async *export(): AsyncGenerator<ExportedDocument> {
    yield* [];
  }

  later(): Later[] {
    const { BACKUP_DIR, BACKUP_KEEP_DAILY: days, BACKUP_KEEP_WEEKLY: weeks } = this.settings;
    const others = 'Backups and copies made by other means, until they are deleted.';
    if (BACKUP_DIR === undefined) return [{ what: others, until: null }];
    return [
      {
        what: 'Backups in BACKUP_DIR made before. They are marked: a restore erases the participant again.',
        until: new Date(Date.now() + Math.max(days, 7 * weeks) * DAY_MS),
      },
      { what: others, until: null },
    ];
  }
}
