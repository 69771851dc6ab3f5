import { z } from 'zod';
import { isoDate, jsonObject, nullIsAbsent, objectIdString, pageLimit } from '../http/index.js';
import { participantIdParam } from '../session/index.js';
import type { FinishedTranscript } from './transcript.schema.js';

/** Maximum size of a transcript, bytes of UTF-8. */
export const MAX_TRANSCRIPT_BYTES = 1024 * 1024;
const MAX_METADATA_BYTES = 16 * 1024;

const wellFormed = (text: string): boolean => !/\p{Surrogate}/u.test(text) && !text.includes('\0');

const transcript = z
  .string()
  .min(1)
  .refine(
    (text) => Buffer.byteLength(text) <= MAX_TRANSCRIPT_BYTES,
    `must be at most ${MAX_TRANSCRIPT_BYTES} bytes of UTF-8`,
  )
  .refine(wellFormed, 'must be well-formed Unicode text without NUL')
  .meta({
    description: 'The text of the whole conversation',
    example: 'I need a table for four.\nFor when?\nTomorrow at seven.',
  });

export const transcriptSummary = z
  .string()
  .min(1)
  .max(10_000)
  .refine(wellFormed, 'must be well-formed Unicode text without NUL')
  .meta({ example: 'A table for four was booked.' });

export const transcriptMetadata = jsonObject(MAX_METADATA_BYTES);

const externalId = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[^\p{Cc}\p{Surrogate}]+$/u, 'must not contain control characters')
  .meta({
    description:
      'Your own identifier of the transcript: sending the same transcript again returns the same id and stores it ' +
      'once. Another one with the same identifier is refused until the first is deleted',
    example: 'helpdesk-4711',
  });
const participantId = participantIdParam.meta({ example: 'ana' });
const channel = z
  .string()
  .min(1)
  .max(32)
  .regex(/^[\p{L}\p{N}._:@+-]+$/u, 'may only contain letters, digits and . _ : @ + -')
  .meta({ example: 'whatsapp' });

export const transcriptIdParam = objectIdString.meta({ description: 'Id of the transcript' });

export const createTranscriptBody = nullIsAbsent(
  z.strictObject({
    participantId,
    channel,
    transcript,
    summary: transcriptSummary.optional(),
    metadata: transcriptMetadata.default({}),
    externalId: externalId.optional(),
  }),
).meta({
  example: {
    participantId: 'ana',
    channel: 'whatsapp',
    transcript: 'I need a table for four.\nFor when?\nTomorrow at seven.',
  },
});
export type CreateTranscriptBody = z.output<typeof createTranscriptBody>;

export const searchTranscriptsBody = nullIsAbsent(
  z.strictObject({
    query: z
      .string()
      .trim()
      .min(1)
      .max(10_000)
      .refine(wellFormed, 'must be well-formed Unicode text without NUL'),
    limit: z.int().min(1).max(100).default(10),
    channel: channel.optional(),
    participantId: participantId.optional(),
    since: isoDate.optional(),
    until: isoDate.optional(),
  }),
).meta({ example: { query: 'table for four', limit: 5 } });
export type SearchTranscriptsBody = z.output<typeof searchTranscriptsBody>;

export const transcriptsQuery = z.strictObject({
  participantId: participantId.optional(),
  status: z.enum(['stored', 'failed']).optional(),
  limit: pageLimit,
  cursor: z.string().max(200).optional(),
});
export type TranscriptsQuery = z.output<typeof transcriptsQuery>;

const instant = z.string().meta({ format: 'date-time', example: '2026-11-21T12:00:00.000Z' });

export const acceptedTranscriptSchema = z.object({ id: transcriptIdParam });

export const transcriptViewSchema = z.object({
  id: transcriptIdParam,
  status: z.enum(['stored', 'failed']),
  participantId: z.string(),
  channel: z.string(),
  transcript: z.string(),
  summary: z.string().nullable(),
  metadata: z.record(z.string(), z.unknown()),
  externalId: z.string().nullable(),
  error: z.string().nullable(),
  createdAt: instant,
  storedAt: instant,
});
export type TranscriptView = z.output<typeof transcriptViewSchema>;

export const transcriptStateSchema = z.union([
  transcriptViewSchema,
  z.object({ id: transcriptIdParam, status: z.enum(['queued', 'processing']) }),
]);
export type TranscriptState = z.output<typeof transcriptStateSchema>;

export const transcriptPageSchema = z.object({
  data: z.array(transcriptViewSchema),
  nextCursor: z.string().nullable(),
});

export const transcriptHitSchema = transcriptViewSchema.extend({
  score: z.number().meta({ description: 'Cosine similarity to the query; 1 means identical', example: 0.62 }),
});
export type TranscriptHit = z.output<typeof transcriptHitSchema>;

export const transcriptHitsSchema = z.object({
  data: z.array(transcriptHitSchema),
  further: z.array(transcriptHitSchema.pick({ id: true, score: true })).meta({
    description:
      'Hits that follow those in `data`, without their content: the response ends at about 2 MiB. ' +
      'GET /v1/transcripts/:id returns each of them',
  }),
});
export type TranscriptHits = z.output<typeof transcriptHitsSchema>;

export const transcriptView = (record: FinishedTranscript): TranscriptView => ({
  id: record._id.toHexString(),
  status: record.status,
  participantId: record.participantId,
  channel: record.channel,
  transcript: record.transcript,
  summary: record.summary ?? null,
  metadata: record.metadata,
  externalId: record.externalId ?? null,
  error: record.error ?? null,
  createdAt: record.createdAt.toISOString(),
  storedAt: record.storedAt.toISOString(),
});
