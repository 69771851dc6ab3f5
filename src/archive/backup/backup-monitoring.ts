import { Inject, Injectable } from '@nestjs/common';
import { ARCHIVE_SETTINGS, type ArchiveSettings } from '../../config/index.js';
import { gauge, Monitoring } from '../../monitoring/index.js';
import { overdueMs } from '../schedule-times.js';
import { newestWholeBackup } from './backup-directory.js';

/** The `backup` section of the snapshot; null without BACKUP_DIR. */
export interface BackupSection {
  /** When the newest whole backup in BACKUP_DIR was begun; null if there is none. */
  lastAt: string | null;
  /** How long the oldest missed run is overdue, milliseconds; 0 if none was missed. */
  overdueMs: number;
}

/** How late a scheduled backup may be without an alert, milliseconds. */
const OVERDUE_MS = 6 * 3_600_000;

/** Metric, alert and snapshot section of scheduled backups. */
@Injectable()
export class BackupMonitoring {
  /** Before the first backup, this is when the schedule begins. */
  private readonly startedAt = new Date();

  constructor(
    monitoring: Monitoring,
    @Inject(ARCHIVE_SETTINGS) private readonly settings: ArchiveSettings,
  ) {
    monitoring.contribute<BackupSection>({
      metrics: [
        gauge({
          name: 'colloquy_backup_last_completed_timestamp_seconds',
          help: 'When the newest whole backup in BACKUP_DIR was begun',
          read: async (set) => {
            const latest = await this.latest();
            if (latest) set(latest.getTime() / 1000);
          },
        }),
      ],
      snapshot: {
        name: 'backup',
        read: () => this.section(),
        alerts: (section) => [
          {
            name: 'backup:overdue',
            title: 'How long the oldest missed backup is overdue',
            unit: 'ms',
            levels: { warning: OVERDUE_MS, critical: 8 * OVERDUE_MS },
            value: section ? section.overdueMs : null,
          },
        ],
      },
    });
  }

  private async latest(): Promise<Date | undefined> {
    const { BACKUP_DIR } = this.settings;
    if (BACKUP_DIR === undefined) return undefined;
    const newest = await newestWholeBackup(BACKUP_DIR);
    return newest && new Date(newest.manifest.createdAt);
  }

  private async section(): Promise<BackupSection | null> {
    const { BACKUP_DIR, BACKUP_SCHEDULE: expression, ARCHIVE_TIME_ZONE: zone } = this.settings;
    if (BACKUP_DIR === undefined) return null;
    const latest = await this.latest();
    return {
      lastAt: latest?.toISOString() ?? null,
      overdueMs: overdueMs(expression, zone, latest ?? this.startedAt, new Date()),
    };
  }
}
