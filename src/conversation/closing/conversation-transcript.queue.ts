import { z } from 'zod';
import { objectIdString } from '../../http/index.js';
import { defineQueue } from '../../queue/index.js';
import { goalStatuses } from '../../session/index.js';

/** The parts of a goal that are kept for the summary: short texts only. */
const closingGoal = z.strictObject({
  type: z.string(),
  status: z.enum(goalStatuses),
  slots: z.array(z.tuple([z.string(), z.string()])),
});
export type ClosingGoal = z.output<typeof closingGoal>;

/** What the transcript is made of besides the messages. It is stored with the closing, not in the job. */
const closingContent = z.strictObject({
  /** The goals at the time of closing: the participant may start others before the job runs. */
  goals: z.array(closingGoal),
  summary: z.string().optional(),
  metadata: z.record(z.string(), z.unknown()),
});
export type ClosingContent = z.output<typeof closingContent>;

/** Members of payloads stored by earlier versions, which hold text. */
export const formerPayloadFields = ['goals', 'summary', 'metadata'] as const;

/** Ids only: jobs outlive the conversation, so they must not contain anything of it. */
const closedConversation = z.strictObject({
  conversationId: objectIdString,
  /** `seq` of the last message that belongs to the transcript. */
  seq: z.int().min(1),
  /** Chosen when the conversation was closed, so that a job that runs twice stores only one transcript. */
  transcriptId: objectIdString,
  ...closingContent.partial().shape,
});
export type ClosedConversation = z.output<typeof closedConversation>;

/**
 * Creates the transcripts of closed conversations. Its retries span about half an hour, to outlast a full
 * transcript queue.
 */
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
