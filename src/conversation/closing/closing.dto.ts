import { z } from 'zod';
import { nullIsAbsent, objectIdString } from '../../http/index.js';
import { transcriptMetadata, transcriptSummary } from '../../transcript/index.js';
import { conversationView, conversationViewSchema } from '../conversation.dto.js';
import type { ConversationRecord } from '../conversation.schema.js';
import { conversationTranscripts } from './conversation-transcript.queue.js';

const closing = nullIsAbsent(
  z.strictObject({
    summary: transcriptSummary
      .optional()
      .meta({ description: 'Stored as the summary; no summary is generated' }),
    metadata: transcriptMetadata.optional().meta({ description: 'Stored with the transcript' }),
  }),
);
export type CloseConversationBody = z.output<typeof closing>;

/** The request body is optional. */
export const closeConversationBody = closing.nullish().meta({ example: { metadata: { closedBy: 'bot' } } });

export const closedConversationSchema = z.object({
  conversation: conversationViewSchema,
  job: z
    .object({ queue: z.string(), id: objectIdString })
    .nullable()
    .meta({ description: 'For GET /v1/jobs/:queue/:id; finished jobs are removed after a while' }),
  transcriptId: objectIdString
    .nullable()
    .meta({ description: 'For GET /v1/transcripts/:id once the job is completed' }),
});
export type ClosedConversationView = z.output<typeof closedConversationSchema>;

/**
 * Job and transcript are null if the conversation had no messages when it was closed, or if the tenant's
 * transcripts are disabled.
 */
export const closedConversationView = (conversation: ConversationRecord): ClosedConversationView => {
  const { closing, lastSeq } = conversation;
  const made = closing?.seq === lastSeq ? closing : undefined;
  return {
    conversation: conversationView(conversation),
    job: made ? { queue: conversationTranscripts.name, id: made.jobId.toHexString() } : null,
    transcriptId: made?.transcriptId.toHexString() ?? null,
  };
};
