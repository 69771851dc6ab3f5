import { z } from 'zod';
import { objectIdString } from '../../http/index.js';
import { defineQueue } from '../../queue/index.js';
import { goalStatuses } from '../../session/index.js';

/** What is kept of a goal for a summary: short texts only. */
const closingGoal = z.strictObject({
  type: z.string(),
  status: z.enum(goalStatuses),
  slots: z.array(z.tuple([z.string(), z.string()])),
});
export type ClosingGoal = z.output<typeof closingGoal>;

const closedConversation = z.strictObject({
  conversationId: objectIdString,
  /** The last message that belongs to the transcript. */
  seq: z.int().min(1),
  /** Chosen when the conversation was closed: a job that runs twice stores one transcript. */
  transcriptId: objectIdString,
  /** As they were at closing: the participant may go on to other things before the job runs. */
  goals: z.array(closingGoal),
  summary: z.string().optional(),
  metadata: z.record(z.string(), z.unknown()),
});
export type ClosedConversation = z.output<typeof closedConversation>;

/** Makes the transcripts of closed conversations. While too many transcripts wait, its tries go on for about half an hour. */
export const conversationTranscripts = defineQueue<ClosedConversation>({
  name: 'conversation-transcript',
  payload: closedConversation,
  attempts: 10,
  backoff: { baseMs: 2000, maxMs: 600_000, jitter: 0.5 },
  concurrency: 4,
  timeoutMs: 120_000,
  keep: { completed: 100, failed: 500 },
  dedupeKey: ({ conversationId, seq }) => `${conversationId}:${seq}`,
});
