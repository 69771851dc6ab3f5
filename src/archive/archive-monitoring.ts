import { Inject, Injectable } from '@nestjs/common';
import { ARCHIVE_SETTINGS, type ArchiveSettings } from '../config/index.js';
import { counter, gauge, Monitoring } from '../monitoring/index.js';
import { ArchiveRunRepository } from './archive-run.repository.js';
import type { RunRecord } from './archive.schema.js';
import { overdueMs } from './schedule-times.js';

/** The `archive` section of the snapshot. */
export interface ArchiveSection {
  /** When the last run began that archived all that was due; null if there is none. */
  lastCompletedAt: string | null;
  /** Whether a run failed after which none with the same request and none of everything has completed. */
  hasFailed: boolean;
  /** How long the oldest missed run is overdue, milliseconds; 0 if none was missed. */
  overdueMs: number;
}

/** How late a scheduled run may end without an alert, milliseconds. */
const OVERDUE_MS = 6 * 3_600_000;

/** Metrics, alerts and snapshot section of archive runs. */
@Injectable()
export class ArchiveMonitoring {
  /** Before the first run, this is when the schedule begins. */
  private readonly startedAt = new Date();
  private readonly runs = counter({
    name: 'colloquy_archive_runs_total',
    help: 'Archive runs that ended in this process',
    labelNames: ['result'],
  });
  private readonly documents = counter({
    name: 'colloquy_archived_documents_total',
    help: 'Documents that this process has moved to archives',
  });
  private readonly freed = counter({
    name: 'colloquy_archived_bytes_total',
    help: 'Size of these documents in the database',
  });

  constructor(
    monitoring: Monitoring,
    private readonly reports: ArchiveRunRepository,
    @Inject(ARCHIVE_SETTINGS) private readonly settings: ArchiveSettings,
  ) {
    monitoring.contribute<ArchiveSection>({
      metrics: [
        this.runs,
        this.documents,
        this.freed,
        gauge({
          name: 'colloquy_archive_last_completed_timestamp_seconds',
          help: 'When the last run began that archived all that was due',
          read: async (set) => {
            const latest = await this.reports.latestCompleted();
            if (latest) set(latest.startedAt.getTime() / 1000);
          },
        }),
      ],
      snapshot: {
        name: 'archive',
        read: () => this.section(),
        alerts: (section) => [
          {
            name: 'archive:overdue',
            title: 'How long the oldest missed archive run is overdue',
            unit: 'ms',
            levels: { warning: OVERDUE_MS, critical: 7 * 4 * OVERDUE_MS },
            value: section?.overdueMs,
          },
          {
            name: 'archive:failed',
            title: 'Whether an archive run failed and was not repeated successfully',
            unit: 'count',
            levels: { warning: 0.5, critical: Number.MAX_SAFE_INTEGER },
            value: section && Number(section.hasFailed),
          },
        ],
      },
    });
  }

  /** Must be called at the end of each run. */
  ended({ state, totals }: RunRecord): void {
    this.runs.inc({ result: state });
    this.documents.inc(totals.rows);
    this.freed.inc(totals.freedBytes);
  }

  private async section(): Promise<ArchiveSection> {
    const { ARCHIVE_SCHEDULE: expression, ARCHIVE_TIME_ZONE: zone } = this.settings;
    const completed = await this.reports.latestCompleted();
    return {
      lastCompletedAt: completed?.startedAt.toISOString() ?? null,
      hasFailed: await this.reports.hasUnresolvedFailure(),
      overdueMs: overdueMs(expression, zone, completed?.startedAt ?? this.startedAt, new Date()),
    };
  }
}
