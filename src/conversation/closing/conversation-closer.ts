import { Injectable } from '@nestjs/common';
import { Types } from 'mongoose';
import { notFound, ProblemError } from '../../common/index.js';
import { TransactionRunner } from '../../database/index.js';
import { QueueService } from '../../queue/index.js';
import { type Goal, SessionService } from '../../session/index.js';
import type { TenantIdentity } from '../../tenant/index.js';
import { ConversationHeads } from '../conversation-heads.js';
import { ConversationLocator } from '../conversation-locator.js';
import { ConversationLock } from '../conversation-lock.js';
import { ConversationRepository } from '../conversation.repository.js';
import type { ClosingRecord, ConversationRecord } from '../conversation.schema.js';
import { closingGoals } from './closing-goals.js';
import type { CloseConversationBody } from './closing.dto.js';
import { conversationTranscripts } from './conversation-transcript.queue.js';

/** Closes conversations, each with the job that makes its transcript. */
@Injectable()
export class ConversationCloser {
  constructor(
    private readonly conversations: ConversationRepository,
    private readonly heads: ConversationHeads,
    private readonly locator: ConversationLocator,
    private readonly lock: ConversationLock,
    private readonly sessions: SessionService,
    private readonly queues: QueueService,
    private readonly transactions: TransactionRunner,
  ) {}

  /**
   * Closes a conversation and stores the job of its transcript with it: both, or neither. Closed again without new messages, it keeps
   * its job and transcript; a job that has failed is followed by a new one for the same transcript. There is neither where there are no
   * messages, or where the operator has switched transcripts off.
   * @throws ProblemError 404 `conversation_not_found`
   */
  close(tenant: TenantIdentity, id: string, body: CloseConversationBody): Promise<ConversationRecord> {
    const { tenantId } = tenant;
    return this.lock.run(tenantId, id, () =>
      this.transactions.run(async () => {
        const found = await this.conversations.find(tenantId, id);
        if (!found) throw notFound('conversation', id);
        const closing = await this.closingOf(tenant, found, body);
        if (!found.isActive && closing === found.closing) return found;
        const closed = await this.conversations.close(tenantId, id, closing, new Date());
        if (!closed) throw notFound('conversation', id);
        await this.heads.changed(tenantId, id);
        await this.transactions.afterCommit(() => {
          this.locator.forget(tenantId, id);
        });
        return closed;
      }),
    );
  }

  /** The one that is there, when it says all that there is to say; else a new one with its job. */
  private async closingOf(
    { tenantId, features }: TenantIdentity,
    found: ConversationRecord,
    body: CloseConversationBody,
  ): Promise<ClosingRecord | undefined> {
    const { _id, lastSeq, closing } = found;
    const isSame = closing?.seq === lastSeq;
    if (!features.transcripts || lastSeq === 0) return closing;
    if (isSame && !(await this.hasFailed(tenantId, closing.jobId))) return closing;
    const transcriptId = isSame ? closing.transcriptId : new Types.ObjectId();
    const { id } = await this.queues.enqueue(conversationTranscripts, tenantId, {
      conversationId: _id.toHexString(),
      seq: lastSeq,
      transcriptId: transcriptId.toHexString(),
      goals: closingGoals(await this.goalsOf(tenantId, found)),
      ...(body.summary !== undefined && { summary: body.summary }),
      metadata: body.metadata ?? {},
    });
    return { seq: lastSeq, transcriptId, jobId: new Types.ObjectId(id) };
  }

  /** A job that is gone was completed, or removed by an operator. */
  private async hasFailed(tenantId: string, jobId: Types.ObjectId): Promise<boolean> {
    try {
      const { state } = await this.queues.get(tenantId, conversationTranscripts.name, jobId.toHexString());
      return state === 'failed';
    } catch (error) {
      if (error instanceof ProblemError && error.problem.status === 404) return false;
      throw error;
    }
  }

  /** Those of the participant's session, unless it is in another conversation by now. */
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
