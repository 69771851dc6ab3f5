import { Injectable } from '@nestjs/common';
import { Types } from 'mongoose';
import { ProblemError } from '../common/index.js';
import { SessionService, type SessionState } from '../session/index.js';
import type { TenantIdentity } from '../tenant/index.js';
import { ConversationEraser } from './conversation-eraser.js';
import { ConversationLocator } from './conversation-locator.js';
import { externalIdInUse, responderFailed, responderTimeout } from './conversation.errors.js';
import { ConversationRepository } from './conversation.repository.js';
import type { ConversationRecord } from './conversation.schema.js';
import {
  ExchangeSupersededError,
  ExchangeWriter,
  type NewUserMessage,
  type StoredExchange,
} from './exchange-writer.js';
import { MessageMetrics } from './message-metrics.js';
import type { InboundMessageBody } from './message.dto.js';
import { MessageRepository } from './message.repository.js';
import type { MessageRecord } from './message.schema.js';
import { isExternalIdTaken } from './message.service.js';
import { ResponderError, type ResponderRequest, type ResponderResult } from './responders/responder.js';
import { ResponderRunner, ResponderTimeoutError } from './responders/responder-runner.js';

export interface ProcessedMessage extends StoredExchange {
  /** False when the message had been handled before, and nothing was written. */
  written: boolean;
}

interface Job {
  tenant: TenantIdentity;
  inbound: InboundMessageBody;
  /** Id that the user message gets when it is new; the same on every try. */
  messageId: Types.ObjectId;
}

/** A user message that is stored already, with its conversation. */
interface Known {
  message: MessageRecord;
  conversation: ConversationRecord;
}

/** Tries of one message that finds, each time it writes, that others were quicker. */
const MAX_TRIES = 5;

/** Most messages that a responder may ask for. */
const MAX_HISTORY = 200;

/** Session limits that a responder's goals or context broke. */
const refusedStates = new Set(['session_too_large', 'too_many_goals']);

/**
 * Handles inbound messages: finds the session and conversation, asks the responder, and stores message, reply, counters and session
 * together. Work on one session is serial in this process; a conflict with another process runs it anew on fresh state.
 */
@Injectable()
export class MessageProcessor {
  constructor(
    private readonly sessions: SessionService,
    private readonly conversations: ConversationRepository,
    private readonly messages: MessageRepository,
    private readonly locator: ConversationLocator,
    private readonly responders: ResponderRunner,
    private readonly writer: ExchangeWriter,
    private readonly eraser: ConversationEraser,
    private readonly metrics: MessageMetrics,
  ) {}

  /**
   * Where the tenant's responder is switched off, the message is stored as answered, with no reply.
   * A message with a known `externalId` is not stored again: it is answered with the stored reply, or its reply is completed.
   * @throws ProblemError 502 `responder_failed`, 504 `responder_timeout`; the user message is stored then
   * @throws ProblemError 409 `external_id_in_use`, 409 `session_conflict`
   */
  process(tenant: TenantIdentity, inbound: InboundMessageBody): Promise<ProcessedMessage> {
    const job: Job = { tenant, inbound, messageId: new Types.ObjectId() };
    return this.metrics.handled(
      this.sessions.withRetry(tenant.tenantId, inbound.participantId, (state) => this.handle(job, state)),
    );
  }

  private async handle(job: Job, state: SessionState): Promise<ProcessedMessage> {
    for (let attempt = 1; ; attempt++) {
      const known = await this.findKnown(job);
      try {
        return await (known ? this.handleKnown(job, state, known) : this.handleNew(job, state));
      } catch (error) {
        const mayRetry = error instanceof ExchangeSupersededError || isExternalIdTaken(error);
        if (!mayRetry || attempt === MAX_TRIES) throw error;
        this.metrics.retried();
      }
    }
  }

  private async handleNew(job: Job, state: SessionState): Promise<ProcessedMessage> {
    const { inbound, messageId } = job;
    const { channel, content, attachments, externalId } = inbound;
    const message: NewUserMessage = { _id: messageId, content, attachments, externalId };
    const place = { state, channel, conversationId: await this.locator.locate(state, channel) };
    try {
      const result = await this.ask(job, state, message, place.conversationId);
      return { ...(await this.writer.write(place, message, result)), written: true };
    } catch (error) {
      if (!isResponderFailure(error)) throw error;
      throw problemOf(error, await this.writer.writeUnanswered(place, message));
    }
  }

  private async handleKnown(job: Job, state: SessionState, known: Known): Promise<ProcessedMessage> {
    const { message, conversation } = known;
    if (message.answeredBy !== undefined) {
      const { tenantId } = job.tenant;
      const reply = message.answeredBy && (await this.messages.find(tenantId, message.answeredBy));
      return { conversation, message, reply, session: state, written: false };
    }
    try {
      const result = await this.ask(job, state, message, conversation._id.toHexString(), message.seq);
      return { ...(await this.writer.complete(state, message, result)), written: true };
    } catch (error) {
      if (isResponderFailure(error)) throw problemOf(error, message);
      throw error;
    }
  }

  /**
   * The stored message that has the externalId of the request.
   * @throws ProblemError 409 `external_id_in_use` when it is not the same participant's user message on the same channel
   */
  private async findKnown({ tenant, inbound }: Job): Promise<Known | undefined> {
    const { externalId, participantId, channel } = inbound;
    if (externalId === undefined) return undefined;
    const { tenantId } = tenant;
    const message = await this.messages.findByExternalId(tenantId, externalId);
    if (!message) return undefined;
    const conversation = await this.conversations.find(tenantId, message.conversationId.toHexString());
    if (!conversation) {
      // Its erasure was interrupted, and the externalId is to be free again.
      await this.eraser.finishIfErased(tenantId, message.conversationId);
      return undefined;
    }
    const isSame =
      message.role === 'user' &&
      conversation.participantId === participantId &&
      conversation.channel === channel;
    if (!isSame) throw externalIdInUse(externalId, conversation._id.toHexString());
    return { message, conversation };
  }

  private ask(
    { tenant, inbound }: Job,
    state: SessionState,
    message: Pick<MessageRecord, '_id' | 'content' | 'attachments'>,
    conversationId: string | null,
    beforeSeq?: number,
  ): Promise<ResponderResult> {
    // The operator's switch: the message is kept, and nothing is said to it.
    if (!tenant.features.responder) return Promise.resolve({ reply: null });
    const { participantId, channel, externalId } = inbound;
    const request: Omit<ResponderRequest, 'config'> = {
      tenant,
      conversation: { id: conversationId, channel, participantId },
      message: {
        id: message._id.toHexString(),
        content: message.content,
        attachments: message.attachments,
        externalId: externalId ?? null,
      },
      session: { activeGoals: state.activeGoals, context: state.context },
      history: async (limit) => {
        const count = Math.min(Math.floor(limit), MAX_HISTORY);
        if (conversationId === null || !(count > 0)) return [];
        const range = { before: beforeSeq };
        const rows = await this.messages.last(tenant.tenantId, conversationId, range, count);
        return rows.map(({ role, content }) => ({ role, content }));
      },
    };
    return this.responders.run(request);
  }
}

const isResponderFailure = (error: unknown): boolean =>
  error instanceof ResponderError ||
  error instanceof ResponderTimeoutError ||
  (error instanceof ProblemError && refusedStates.has(error.problem.code));

/** What the client is told after the user message was stored. */
function problemOf(error: unknown, message: MessageRecord): ProblemError {
  const stored = {
    conversationId: message.conversationId.toHexString(),
    messageId: message._id.toHexString(),
    externalId: message.externalId,
  };
  if (error instanceof ResponderTimeoutError) return responderTimeout(error.timeoutMs, stored);
  if (error instanceof ResponderError) return responderFailed(error.message, stored, error);
  const reason = error instanceof Error ? error.message : 'The session could not be stored.';
  return responderFailed(`What the responder answered cannot be kept. ${reason}`, stored, error);
}
