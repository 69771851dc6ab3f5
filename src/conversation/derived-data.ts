import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { LOGGER, type Logger } from '../logging/index.js';
import { QueueService } from '../queue/index.js';
import { SessionService } from '../session/index.js';
import { TranscriptService } from '../transcript/index.js';
import { ClosingRepository } from './closing/closing.repository.js';
import { conversationTranscripts, formerPayloadFields } from './closing/conversation-transcript.queue.js';
import type { ConversationRecord } from './conversation.schema.js';

/** Erases what was derived from a conversation that is being erased. Each step may be repeated. */
@Injectable()
export class DerivedData implements OnApplicationBootstrap {
  constructor(
    private readonly closings: ClosingRepository,
    private readonly queues: QueueService,
    private readonly transcripts: TranscriptService,
    private readonly sessions: SessionService,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Finished jobs of earlier versions contain the summary and metadata of conversations, which may have been
   * erased since.
   */
  async onApplicationBootstrap(): Promise<void> {
    try {
      await this.queues.scrubFinished(conversationTranscripts.name, formerPayloadFields);
    } catch (error) {
      this.logger.warn({ err: error }, 'could not scrub finished jobs; the next start tries again');
    }
  }

  /**
   * Deletes the transcripts with their vectors, the contents of closings, and the errors of their jobs, and
   * detaches the session. The records of the jobs stay for a while; they contain ids and numbers only.
   */
  async erase(conversation: ConversationRecord): Promise<void> {
    const { tenantId, _id, participantId } = conversation;
    await this.sessions.detach(tenantId, participantId, _id.toHexString());
    await this.eraseTranscripts(conversation);
  }

  async deleteClosings({ tenantId, _id }: ConversationRecord): Promise<void> {
    await this.closings.deleteOf(tenantId, _id);
  }

  /** Deletes the transcripts, including those that closings may still create, and the closings. */
  async eraseTranscripts({ tenantId, _id, participantId, closing }: ConversationRecord): Promise<void> {
    const conversationId = _id.toHexString();
    const closings = await this.closings.ofConversation(tenantId, _id);
    // The last closing by an earlier version has no document of its own.
    if (closing) closings.push({ _id: closing.jobId, transcriptId: closing.transcriptId });
    await this.transcripts.eraseConversation(
      tenantId,
      { participantId, conversationId },
      closings.map(({ transcriptId }) => transcriptId.toHexString()),
    );
    if (closings.length === 0) return;
    await this.queues.scrub(
      tenantId,
      closings.map((one) => one._id.toHexString()),
      formerPayloadFields,
    );
    await this.closings.deleteOf(tenantId, _id);
  }
}
