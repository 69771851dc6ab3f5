import { z } from 'zod';
import { nullIsAbsent } from '../http/index.js';
import { tenantIdParam } from '../tenant/index.js';

export const replayTranscriptsBody = nullIsAbsent(
  z.strictObject({
    limit: z.int().min(1).max(200).default(100),
    cursor: z.string().max(200).optional(),
    tenantId: tenantIdParam
      .optional()
      .meta({ description: 'Only with the admin key: the tenant whose dead letters are replayed' }),
  }),
)
  .default({ limit: 100 })
  .meta({ example: { limit: 100 } });
export type ReplayTranscriptsBody = z.output<typeof replayTranscriptsBody>;

export const replayedTranscriptsSchema = z.object({
  replayed: z.int().meta({ description: 'Number of dead letters of this page that were queued again' }),
  nextCursor: z
    .string()
    .nullable()
    .meta({ description: 'Pass it as cursor to replay the next page; null if there are no more' }),
});
export type ReplayedTranscripts = z.output<typeof replayedTranscriptsSchema>;

export const tenantTranscriptStatsSchema = z.object({
  queued: z.int().meta({ description: 'Transcripts waiting for a batch' }),
  processing: z.int().meta({ description: 'Transcripts in a running batch' }),
  queueLimit: z.int().meta({
    description:
      'Limit of queued and processing transcripts together; beyond it, transcripts are rejected with 429',
  }),
  completed: z.int().meta({ description: 'Transcripts stored and searchable' }),
  failed: z.int().meta({ description: 'Number of times a transcript finally failed, including replays' }),
  dead: z.int().meta({ description: 'Dead letters: transcripts with status failed' }),
  batches: z.int().meta({ description: 'Number of transactions that stored transcripts of this tenant' }),
  meanBatchSize: z.number().nullable(),
});
export type TenantTranscriptStats = z.output<typeof tenantTranscriptStatsSchema>;

const distribution = z.object({
  count: z.int(),
  mean: z.number(),
  p50: z.number(),
  p95: z.number(),
  p99: z.number(),
  max: z.number(),
});

const figures = z.record(z.string(), z.unknown());

export const operatorTranscriptStatsSchema = z.object({
  queued: z
    .int()
    .nullable()
    .meta({ description: 'Across all tenants and processes; null while the database cannot be reached' }),
  processing: z.int().nullable(),
  oldestMs: z
    .number()
    .nullable()
    .meta({ description: 'Age of the oldest queued or processing transcript, milliseconds' }),
  accepted: z.int().meta({
    description:
      'Accepted by this process since it started, for all tenants; the figures below have the same scope',
  }),
  completed: z.int(),
  failed: z.int(),
  dead: z.int(),
  retries: z.int().meta({ description: 'Batches that failed as a whole and were queued again' }),
  batches: z.int(),
  meanBatchSize: z.number().nullable(),
  embedMs: z.number(),
  storeMs: z.number(),
  batchSizes: distribution,
  embedTimes: distribution.meta({ description: 'Milliseconds per batch' }),
  storeTimes: distribution.meta({ description: 'Milliseconds per batch' }),
  embeddingCache: z.object({
    size: z.int(),
    max: z.int(),
    hits: z.int(),
    misses: z.int(),
    hitRate: z.number(),
  }),
  index: figures,
});

export const transcriptStatsSchema = z.union([tenantTranscriptStatsSchema, operatorTranscriptStatsSchema]);
