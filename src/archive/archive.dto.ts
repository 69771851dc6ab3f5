import { z } from 'zod';
import { retentionKinds } from '../config/index.js';
import { nullIsAbsent, objectIdString, pageLimit } from '../http/index.js';
import { tenantIdParam } from '../tenant/index.js';
import { runRequest } from './archive.queue.js';
import { type ArchiveRecord, archiveStates, type RunRecord } from './archive.schema.js';

export const archiveIdParam = objectIdString.meta({
  description: 'Id of the archive',
  example: '66f0c1e9a7b3d2468a1b2c3d',
});

const kind = z.enum(retentionKinds);
const cursor = z.string().max(200).optional();

export const startRunBody = nullIsAbsent(runRequest.extend({ tenantId: tenantIdParam.optional() })).meta({
  example: { tenantId: 'acme', kind: 'conversations', olderThanDays: 90, dryRun: true },
});

export const archivesQuery = z.strictObject({
  tenantId: tenantIdParam.optional(),
  kind: kind.optional(),
  limit: pageLimit,
  cursor,
});
export type ArchivesQuery = z.output<typeof archivesQuery>;

export const runsQuery = z.strictObject({ limit: pageLimit, cursor });
export type RunsQuery = z.output<typeof runsQuery>;

const instant = z.string().meta({ format: 'date-time', example: '2026-11-21T12:00:00.000Z' });

export const startedJobSchema = z.object({
  jobId: z.string().meta({ description: 'Id of the job', example: '66f0c1e9a7b3d2468a1b2c3d' }),
  queue: z.string().meta({ description: 'Its queue: GET /v1/queues/{queue}/jobs/{jobId} shows its state' }),
});
export type StartedJob = z.output<typeof startedJobSchema>;

export const archiveViewSchema = z.object({
  id: archiveIdParam,
  tenantId: tenantIdParam,
  kind: z.string(),
  state: z.enum(archiveStates).meta({
    description: 'Only what is stored can be restored; a run that was interrupted is continued by the next',
  }),
  from: instant.nullable().meta({ description: 'Earliest last activity of the archived data' }),
  to: instant.nullable().meta({ description: 'Latest last activity of the archived data' }),
  count: z.int().meta({ description: 'Number of conversations, transcripts or jobs' }),
  rows: z.record(z.string(), z.int()).meta({ description: 'Number of documents, by collection' }),
  bytes: z.int().meta({ description: 'Size of the compressed file' }),
  sha256: z.string().nullable().meta({ description: 'SHA-256 of the compressed file' }),
  createdAt: instant,
  restoredAt: instant.nullable(),
});
export type ArchiveView = z.output<typeof archiveViewSchema>;

export const archivePageSchema = z.object({
  data: z.array(archiveViewSchema),
  nextCursor: z.string().nullable(),
});

const totals = {
  archived: z.int().meta({ description: 'Conversations, transcripts or jobs' }),
  changed: z.int().meta({ description: 'Those that stay because they changed during the run' }),
  kept: z.int().meta({ description: 'Those that remain in the database' }),
  rows: z.int().meta({ description: 'Documents' }),
  freedBytes: z.int().meta({ description: 'Size of these documents in the database' }),
  archiveBytes: z.int().meta({ description: 'Size of the archive files' }),
  archives: z.int(),
  durationMs: z.number(),
};

export const runViewSchema = z.object({
  id: objectIdString,
  state: z.enum(['running', 'completed', 'failed']),
  startedAt: instant,
  endedAt: instant.nullable(),
  request: runRequest,
  totals: z.object(totals),
  results: z.array(z.object({ tenantId: z.string(), kind: z.string(), ...totals })).meta({
    description: 'Per tenant and kind, where something was archived; at most 1,000',
  }),
  error: z.string().nullable(),
});
export type RunView = z.output<typeof runViewSchema>;

export const runPageSchema = z.object({ data: z.array(runViewSchema), nextCursor: z.string().nullable() });

export const archiveView = ({
  _id,
  tenantId,
  kind: ofKind,
  state,
  contents,
  createdAt,
  restoredAt,
}: ArchiveRecord): ArchiveView => ({
  id: _id.toHexString(),
  tenantId,
  kind: ofKind,
  state,
  from: contents?.from.toISOString() ?? null,
  to: contents?.to.toISOString() ?? null,
  count: contents?.count ?? 0,
  rows: contents?.rows ?? {},
  bytes: contents?.bytes ?? 0,
  sha256: contents?.sha256 ?? null,
  createdAt: createdAt.toISOString(),
  restoredAt: restoredAt?.toISOString() ?? null,
});

export const runView = ({
  _id,
  scope: _scope,
  named: _named,
  isResolved: _isResolved,
  startedAt,
  endedAt,
  request,
  error,
  ...rest
}: RunRecord): RunView => ({
  id: _id.toHexString(),
  ...rest,
  request: request as RunView['request'],
  startedAt: startedAt.toISOString(),
  endedAt: endedAt?.toISOString() ?? null,
  error: error ?? null,
});
