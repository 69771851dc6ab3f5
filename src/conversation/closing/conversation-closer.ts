import { Injectable } from '@nestjs/common';
import { Types } from 'mongoose';
import { withRetries } from '../../common/index.js';
import { notFound, ProblemError } from '../../http/index.js';
import { type JobRecord, QueueService } from '../../queue/index.js';
import { type Goal, SessionService } from '../../session/index.js';
import type { TenantIdentity } from '../../tenant/index.js';
import { ConversationLocator } from '../conversation-locator.js';
import { ConversationWriter } from '../conversation-writer.js';
import { ExchangeSupersededError } from '../conversation.errors.js';
import { ConversationRepository } from '../conversation.repository.js';
import type { ClosingRecord, ConversationRecord } from '../conversation.schema.js';
import { closingGoals } from './closing-goals.js';
import { ClosingRepository } from './closing.repository.js';
import type { CloseConversationBody } from './closing.dto.js';
import { type ClosedConversation, conversationTranscripts } from './conversation-transcript.queue.js';

/** Closes conversations and enqueues the job that creates the transcript. */
@Injectable()
export class ConversationCloser {
  constructor(
    private readonly conversations: ConversationRepository,
    private readonly writer: ConversationWriter,
    private readonly locator: ConversationLocator,
    private readonly closings: ClosingRepository,
    private readonly sessions: SessionService,
    private readonly queues: QueueService,
  ) {}

  /**
   * Closes a conversation and stores its transcript job, with what it needs, in the same commit. Closing it again without new
   * messages keeps the existing job and transcript; if that job has failed, a new job for the same transcript
   * is stored. No job is stored for a conversation without messages, or if the operator has disabled the
   * tenant's transcripts.
   * @throws ProblemError 404 `conversation_not_found`
   */
  close(tenant: TenantIdentity, id: string, body: CloseConversationBody): Promise<ConversationRecord> {
    const { tenantId } = tenant;
    return withRetries(
      async ({ remainingMs }) => {
        const found = await this.conversations.find(tenantId, id);
        if (!found) throw notFound('conversation', id);
        const hasFailed =
          found.closing !== undefined && (await this.hasFailed(tenantId, found.closing.jobId));
        const goals = closingGoals(await this.goalsOf(tenantId, found));
        let job: JobRecord | undefined;
        const closed = await this.writer.update(
          tenantId,
          id,
          (conversation, writer) => {
            const { closing, isActive, closedAt = writer.stamp } = conversation;
            if (closing && !found.closing?.jobId.equals(closing.jobId))
              throw new ExchangeSupersededError('the conversation was closed by another request');
            job = this.jobOf(tenant, conversation, hasFailed);
            if (!job) return isActive ? { isActive: false, closedAt } : undefined;
            this.queues.write(writer, job);
            const made = closingOf(conversation, job);
            this.closings.write(writer, {
              _id: job._id,
              tenantId,
              conversationId: conversation._id,
              transcriptId: made.transcriptId,
              content: { goals, summary: body.summary, metadata: body.metadata ?? {} },
            });
            return { isActive: false, closedAt, closing: made };
          },
          remainingMs,
        );
        this.locator.forget(tenantId, id);
        if (job) await this.queues.stored(job);
        return closed;
      },
      (error) => error instanceof ExchangeSupersededError,
    );
  }

  /**
   * Returns undefined if there is nothing to transcribe, or if a job for this transcript already exists and
   * has not failed.
   */
  private jobOf(
    { tenantId, features }: TenantIdentity,
    { _id, lastSeq, closing }: ConversationRecord,
    hasFailed: boolean,
  ): JobRecord | undefined {
    if (!features.transcripts || lastSeq === 0) return undefined;
    const isSame = closing?.seq === lastSeq;
    if (isSame && !hasFailed) return undefined;
    return this.queues.newJob(conversationTranscripts, tenantId, {
      conversationId: _id.toHexString(),
      seq: lastSeq,
      transcriptId: (isSame ? closing.transcriptId : new Types.ObjectId()).toHexString(),
    });
  }

  /**
   * A job that no longer exists either completed or was removed by an operator, so it does not count as
   * failed.
   */
  private async hasFailed(tenantId: string, jobId: Types.ObjectId): Promise<boolean> {
    try {
      const { state } = await this.queues.get(tenantId, conversationTranscripts.name, jobId.toHexString());
      return state === 'failed';
    } catch (error) {
      if (error instanceof ProblemError && error.problem.status === 404) return false;
      throw error;
    }
  }

  /**
   * The goals of the participant's session, or none if the session has since moved to another conversation.
   */
  private async goalsOf(
    tenantId: string,
    { _id, participantId }: ConversationRecord,
  ): Promise<readonly Goal[]> {
    const state = await this.sessions.find(tenantId, participantId);
    if (!state) return [];
    const isHere = state.conversationId === null || state.conversationId === _id.toHexString();
    return isHere ? state.activeGoals : [];
  }
}

/**
 * The transcript's id is chosen together with the job, so that a job that runs twice stores only one
 * transcript.
 */
const closingOf = ({ lastSeq }: ConversationRecord, { _id, payload }: JobRecord): ClosingRecord => ({
  seq: lastSeq,
  transcriptId: new Types.ObjectId((payload as ClosedConversation).transcriptId),
  jobId: _id,
});
