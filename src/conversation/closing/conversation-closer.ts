import { Injectable } from '@nestjs/common';
import { Types } from 'mongoose';
import { withRetries } from '../../common/index.js';
import { notFound, ProblemError } from '../../http/index.js';
import { type JobRecord, type JobState, QueueService } from '../../queue/index.js';
import { type Goal, SessionService } from '../../session/index.js';
import type { TenantIdentity } from '../../tenant/index.js';
import { TranscriptService } from '../../transcript/index.js';
import { ConversationLocator } from '../conversation-locator.js';
import { ConversationWriter } from '../conversation-writer.js';
import { ExchangeSupersededError } from '../conversation.errors.js';
import { ConversationRepository } from '../conversation.repository.js';
import type { ClosingRecord, ConversationRecord } from '../conversation.schema.js';
import { closingGoals } from './closing-goals.js';
import { ClosingRepository } from './closing.repository.js';
import type { CloseConversationBody } from './closing.dto.js';
import { type ClosedConversation, conversationTranscripts } from './conversation-transcript.queue.js';

/**
 * What became of the transcript of a closing: it exists or its job will create it, its job has failed, or it
 * was deleted.
 */
type Outcome = 'kept' | 'failed' | 'deleted';

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
    private readonly transcripts: TranscriptService,
  ) {}

  /**
   * Closes a conversation and stores its transcript job, with what it needs, in the same commit. Closing it
   * again without new messages keeps the existing job and transcript; if that job has failed, a new job for the
   * same transcript is stored, and if the transcript was deleted, a job for another one. No job is stored for a
   * conversation without messages, or if the operator has disabled the tenant's transcripts.
   * @throws ProblemError 404 `conversation_not_found`
   */
  close(tenant: TenantIdentity, id: string, body: CloseConversationBody): Promise<ConversationRecord> {
    const { tenantId } = tenant;
    return withRetries(
      async ({ remainingMs }) => {
        const found = await this.conversations.find(tenantId, id);
        if (!found) throw notFound('conversation', id);
        const outcome = found.closing && (await this.outcomeOf(tenantId, found.closing));
        const goals = closingGoals(await this.goalsOf(tenantId, found));
        let job: JobRecord | undefined;
        const closed = await this.writer.update(
          tenantId,
          id,
          (conversation, writer) => {
            const { closing, isActive, closedAt = writer.stamp } = conversation;
            if (closing && !found.closing?.jobId.equals(closing.jobId))
              throw new ExchangeSupersededError('the conversation was closed by another request');
            job = this.jobOf(tenant, conversation, outcome);
            if (!job && outcome === 'deleted') return { isActive: false, closedAt, closing: undefined };
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
   * Returns undefined if there is nothing to transcribe, or if the transcript exists or a job will create it.
   */
  private jobOf(
    { tenantId, features }: TenantIdentity,
    { _id, lastSeq, closing }: ConversationRecord,
    outcome: Outcome | undefined,
  ): JobRecord | undefined {
    if (!features.transcripts || lastSeq === 0) return undefined;
    const isSame = closing?.seq === lastSeq;
    if (isSame && outcome === 'kept') return undefined;
    return this.queues.newJob(conversationTranscripts, tenantId, {
      conversationId: _id.toHexString(),
      seq: lastSeq,
      transcriptId: (isSame && outcome === 'failed'
        ? closing.transcriptId
        : new Types.ObjectId()
      ).toHexString(),
    });
  }

  private async outcomeOf(tenantId: string, { jobId, transcriptId }: ClosingRecord): Promise<Outcome> {
    const state = await this.stateOf(tenantId, jobId);
    if (state === 'failed')
      return (await this.transcripts.wasDeleted(tenantId, transcriptId)) ? 'deleted' : 'failed';
    if (state !== undefined && state !== 'completed') return 'kept';
    return (await this.transcripts.exists(tenantId, transcriptId)) ? 'kept' : 'deleted';
  }

  /** Undefined for a job that was removed: by an operator, or because it completed a while ago. */
  private async stateOf(tenantId: string, jobId: Types.ObjectId): Promise<JobState | undefined> {
    try {
      return (await this.queues.get(tenantId, conversationTranscripts.name, jobId.toHexString())).state;
    } catch (error) {
      if (error instanceof ProblemError && error.problem.status === 404) return undefined;
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
