import { z } from 'zod';
import { objectIdString } from '../../http/index.js';
import { transcriptMetadata, transcriptSummary } from '../../transcript/index.js';
import { conversationView, conversationViewSchema } from '../conversation.dto.js';
import type { ConversationRecord } from '../conversation.schema.js';
import { conversationTranscripts } from './conversation-transcript.queue.js';

const closing = z.strictObject({
  summary: transcriptSummary.optional().meta({ description: 'Kept instead of one that is made' }),
  metadata: transcriptMetadata.optional().meta({ description: 'Kept with the transcript' }),
});
export type CloseConversationBody = z.output<typeof closing>;

/** May be left out altogether. */
export const closeConversationBody = closing.nullish().meta({ example: { metadata: { closedBy: 'bot' } } });

export const closedConversationSchema = z.object({
  conversation: conversationViewSchema,
  job: z
    .object({ queue: z.string(), id: objectIdString })
    .nullable()
    .meta({ description: 'For GET /v1/jobs/:queue/:id, which knows finished jobs for a while only' }),
  transcriptId: objectIdString
    .nullable()
    .meta({ description: 'For GET /v1/transcripts/:id once the job is completed' }),
});
export type ClosedConversationView = z.output<typeof closedConversationSchema>;

/** Job and transcript are null when no message was stored before the closing, or transcripts are switched off. */
export const closedConversationView = (conversation: ConversationRecord): ClosedConversationView => {
  const { closing, lastSeq } = conversation;
  const made = closing?.seq === lastSeq ? closing : undefined;
  return {
    conversation: conversationView(conversation),
    job: made ? { queue: conversationTranscripts.name, id: made.jobId.toHexString() } : null,
    transcriptId: made?.transcriptId.toHexString() ?? null,
  };
};
