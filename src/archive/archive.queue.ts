import { z } from 'zod';
import { MAX_RETENTION_DAYS, retentionKinds } from '../config/index.js';
import { objectIdString } from '../http/index.js';
import { defineQueue } from '../queue/index.js';

/**
 * The tenant of jobs that concern all tenants. Ids of tenants cannot contain "~", so only operators see these
 * jobs.
 */
export const ALL_TENANTS = '~all';

/** Runs and restores may take as long as this, milliseconds. */
const TIMEOUT_MS = 24 * 3_600_000;

const long = {
  attempts: 5,
  backoff: { baseMs: 30_000, maxMs: 1_800_000, jitter: 0.5 },
  concurrency: 1,
  timeoutMs: TIMEOUT_MS,
  keep: { completed: 100, failed: 100 },
} as const;

export const runRequest = z.strictObject({
  tenantId: z.string().optional(),
  kind: z.enum(retentionKinds).optional(),
  olderThanDays: z.int().min(0).max(MAX_RETENTION_DAYS).optional(),
  dryRun: z.boolean().default(false),
});
export type RunRequestBody = z.output<typeof runRequest>;

/** Archives what is due. A job that asks for the same as an unfinished one is not stored again. */
export const archiveRuns = defineQueue<RunRequestBody>({
  name: 'archive-run',
  payload: runRequest,
  ...long,
  dedupeKey: ({ tenantId = '', kind = '', olderThanDays = '', dryRun }) =>
    [tenantId, kind, olderThanDays, dryRun].join('\n'),
});

const restoreRequest = z.strictObject({ archiveId: objectIdString });
export type RestoreRequest = z.output<typeof restoreRequest>;

/** Restores one archive. */
export const archiveRestores = defineQueue<RestoreRequest>({
  name: 'archive-restore',
  payload: restoreRequest,
  ...long,
  dedupeKey: ({ archiveId }) => archiveId,
});
