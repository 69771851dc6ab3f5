import { Inject, Injectable } from '@nestjs/common';
import { CronTime } from 'cron';
import { ARCHIVE_SETTINGS, type ArchiveSettings } from '../../config/index.js';
import {
  type Counts,
  type ExportedDocument,
  type Later,
  type ParticipantData,
  ParticipantHashes,
} from '../participant/index.js';
import { markBackups } from './erasure-marks.js';
import { dayOf, weekOf } from './rotation.js';

const DAY_MS = 86_400_000;

/**
 * Marks the backups that still contain an erased participant, so that a restore erases the participant again.
 * Must be contributed last: a backup that was begun after the mark has to be without the participant.
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
    const until = rotatedOutAt(this.settings, new Date());
    const condition = until
      ? 'The date holds if every scheduled backup is made.'
      : `They remain until there are verified backups of ${days} later days and ${weeks} later weeks.`;
    return [
      {
        what: `Backups in BACKUP_DIR made before. They are marked: a restore erases the participant again. ${condition} A damaged backup remains until somebody deletes it.`,
        until,
      },
      { what: others, until: null },
    ];
  }
}

/**
 * When the schedule has replaced every backup that was begun before `now`; null if there is no schedule, or none
 * that does so in the next years.
 */
function rotatedOutAt(settings: ArchiveSettings, now: Date): Date | null {
  const { BACKUP_SCHEDULE: expression, ARCHIVE_TIME_ZONE: zone } = settings;
  const { BACKUP_KEEP_DAILY: daily, BACKUP_KEEP_WEEKLY: weekly } = settings;
  if (expression === null) return null;
  const schedule = new CronTime(expression, zone);
  const [days, weeks] = [new Set<string>(), new Set<string>()];
  let due = now;
  while (days.size < daily || weeks.size < weekly) {
    // Rotation counts days in UTC. One time of each is enough.
    const endOfDay = new Date(Date.parse(dayOf(due)) + DAY_MS - 1);
    try {
      due = schedule.getNextDateFrom(endOfDay, zone).toJSDate();
    } catch {
      // It searches for some years only.
      return null;
    }
    days.add(dayOf(due));
    if (weekOf(due) !== weekOf(now)) weeks.add(weekOf(due));
  }
  // The backup takes a while, and one that failed is retried.
  return new Date(due.getTime() + DAY_MS);
}
