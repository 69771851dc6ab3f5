import { z } from 'zod';
import { externalName } from '../http/index.js';

export const replayTranscriptsBody = z
  .strictObject({
    limit: z.int().min(1).max(200).default(100),
    cursor: z.string().max(200).optional(),
    tenantId: externalName.optional().meta({ description: 'With the admin key alone: whose dead letters' }),
  })
  .default({ limit: 100 })
  .meta({ example: { limit: 100 } });
export type ReplayTranscriptsBody = z.output<typeof replayTranscriptsBody>;

export const replayedTranscriptsSchema = z.object({
  replayed: z.int().meta({ description: 'Dead letters of this page that are tried again' }),
  nextCursor: z
    .string()
    .nullable()
    .meta({ description: 'Pass it as cursor for the next ones; null: there are no more' }),
});
export type ReplayedTranscripts = z.output<typeof replayedTranscriptsSchema>;

export const tenantTranscriptStatsSchema = z.object({
  queued: z.int().meta({ description: 'Wait for a batch' }),
  processing: z.int().meta({ description: 'In a batch at work' }),
  queueLimit: z
    .int()
    .meta({ description: 'Both together may be so many; beyond it transcripts are refused with 429' }),
  completed: z.int().meta({ description: 'Stored, and found by meaning' }),
  failed: z.int().meta({ description: 'Times that a transcript was given up, replays included' }),
  dead: z.int().meta({ description: 'Dead letters: with status failed now' }),
  batches: z.int().meta({ description: 'Transactions that stored transcripts of this tenant' }),
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
    .meta({ description: 'Of all tenants and processes; null while they cannot be counted' }),
  processing: z.int().nullable(),
  oldestMs: z.number().nullable().meta({ description: 'How long the oldest of both has waited' }),
  accepted: z
    .int()
    .meta({ description: 'By this process since it began, of all tenants; so are the figures below' }),
  completed: z.int(),
  failed: z.int(),
  dead: z.int(),
  retries: z.int().meta({ description: 'Batches that failed as a whole and were put back' }),
  batches: z.int(),
  meanBatchSize: z.number().nullable(),
  embedMs: z.number(),
  storeMs: z.number(),
  batchSizes: distribution,
  embedTimes: distribution.meta({ description: 'Milliseconds of one batch' }),
  storeTimes: distribution.meta({ description: 'Milliseconds of one batch' }),
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
