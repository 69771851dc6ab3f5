import { z } from 'zod';
import { defineQueue } from '../../queue/index.js';

const backupRequest = z.strictObject({});

/** Makes a backup in BACKUP_DIR. */
export const backupRuns = defineQueue<z.output<typeof backupRequest>>({
  name: 'backup-run',
  payload: backupRequest,
  attempts: 5,
  backoff: { baseMs: 60_000, maxMs: 1_800_000, jitter: 0.5 },
  concurrency: 1,
  timeoutMs: 12 * 3_600_000,
  keep: { completed: 100, failed: 100 },
  dedupeKey: () => 'backup',
});
