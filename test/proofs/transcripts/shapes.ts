import { z } from 'zod';

const stored = z.object({
  id: z.string(),
  status: z.enum(['stored', 'failed']),
  transcript: z.string(),
  participantId: z.string(),
  metadata: z.record(z.string(), z.unknown()),
});

const page = z.object({ data: z.array(stored), nextCursor: z.string().nullable() });
const hits = z.object({ data: z.array(z.object({ id: z.string() })) });
const state = z.object({ status: z.string() });
const stats = z.object({ queued: z.number(), processing: z.number() });
const jobState = z.object({ state: z.string() });

const closed = z
  .object({ job: z.object({ queue: z.string(), id: z.string() }), transcriptId: z.string() })
  .transform(({ job, transcriptId }) => ({ transcriptId, queue: job.queue, jobId: job.id }));

/** The parts of API responses that the check reads. */
export type StoredTranscript = z.output<typeof stored>;
export const asPage = (body: unknown): z.output<typeof page> => page.parse(body);
export const asHits = (body: unknown): z.output<typeof hits> => hits.parse(body);
export const asState = (body: unknown): z.output<typeof state> => state.parse(body);
export const asStats = (body: unknown): z.output<typeof stats> => stats.parse(body);
export const asJobState = (body: unknown): z.output<typeof jobState> => jobState.parse(body);
export const asClosed = (body: unknown): z.output<typeof closed> => closed.parse(body);
