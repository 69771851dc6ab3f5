import { Inject, Injectable } from '@nestjs/common';
import { createHash } from 'node:crypto';
import { Types } from 'mongoose';
import { type Attempt, RETRY_TIMEOUT_MS } from '../common/index.js';
import { PROCESSING_SETTINGS, type ProcessingSettings } from '../config/index.js';
import { notFound, type ProblemError } from '../http/index.js';
import {
  type InboundMessage,
  type ResponderRequest,
  type ResponderResult,
  ResponderRunner,
  type TenantResponder,
} from '../responder/index.js';
import { SessionService, type SessionState } from '../session/index.js';
import { ErasedIds, TenantDirectory, type TenantIdentity, tenantInactive } from '../tenant/index.js';
import { ConversationEraser } from './conversation-eraser.js';
import { ConversationLocator } from './conversation-locator.js';
import { ConversationWriter, type ExchangeContext, type StoredExchange } from './conversation-writer.js';
import type { NewUserMessage } from './message-records.js';
import { ExchangeSupersededError } from './conversation.errors.js';
import { ConversationRepository } from './conversation.repository.js';
import type { ConversationRecord } from './conversation.schema.js';
import { externalKeyOf } from './external-key.js';
import { endsOpeningBurst, remainingWait } from './message-burst.js';
import { MessageDebouncer, type WaitingMessage } from './message-debouncer.js';
import { MessageMetrics } from './message-metrics.js';
import type { InboundMessageBody } from './message.dto.js';
import { MessageRepository } from './message.repository.js';
import type { MessageRecord } from './message.schema.js';
import { isExternalIdTaken } from './message.service.js';
import { checkRepeated } from './repeated-message.js';
import { isResponderFailure, problemOf } from './responder-problems.js';

export interface ProcessedMessage extends StoredExchange {
  /** False if the message had already been processed and nothing was written. */
  written: boolean;
  /** True if the message is answered together with a later one, whose request gets the reply. */
  coalesced: boolean;
}

/** The message is stored, and is processed further after this time unless another one follows. */
interface Waiting extends WaitingMessage {
  readonly waitMs: number;
}

/** An inbound message while it is processed. */
interface Job {
  readonly tenant: TenantIdentity;
  readonly inbound: InboundMessageBody;
  /** The same on every attempt. With an externalId it is also the same in every process. */
  readonly messageId: Types.ObjectId;
  /** The user message, once an attempt has stored it or found it stored. */
  stored?: MessageRecord;
  /** Whether this request stored it. */
  hasStored?: boolean;
  /** Whether it has waited for further messages. */
  hasWaited?: boolean;
  /** Whether the tenant existed before the responder was called. */
  hadTenant?: boolean;
}

/** A session, the conversation that the message continues, and the user message if it is already stored. */
interface Turn extends ExchangeContext {
  readonly stored?:
    { readonly message: MessageRecord; readonly conversation: ConversationRecord } | undefined;
  /** True if the conversation was created for this message, or for the first of its burst. */
  readonly opensConversation?: boolean;
}

/** Maximum number of messages that a responder may request as history. */
const MAX_HISTORY = 200;

/**
 * Derives the message id from the key of its externalId, so that two processes that receive the same message
 * concurrently call the responder with the same idempotency key.
 */
const messageIdOf = (tenantId: string, externalKey: string): Types.ObjectId =>
  new Types.ObjectId(createHash('sha256').update(`${tenantId}\0${externalKey}`).digest('hex').slice(0, 24));

/** Used if the operator has disabled the tenant's responder: the message is stored and no reply is sent. */
const silent: TenantResponder = {
  isImmediate: true,
  debounceMs: 0,
  run: () => Promise.resolve({ reply: null }),
};

/** Another request committed first. The message is processed again, based on what is now stored. */
const isSuperseded = (error: unknown): boolean =>
  error instanceof ExchangeSupersededError || isExternalIdTaken(error);

/**
 * Processes inbound messages. Work on one session is serial within this process. A conflict with another
 * process is detected at commit, and the message is then processed again on the current state.
 */
@Injectable()
export class MessageProcessor {
  private readonly timeoutMs: number;

  constructor(
    private readonly sessions: SessionService,
    private readonly conversations: ConversationRepository,
    private readonly messages: MessageRepository,
    private readonly locator: ConversationLocator,
    private readonly responders: ResponderRunner,
    private readonly writer: ConversationWriter,
    private readonly eraser: ConversationEraser,
    private readonly debouncer: MessageDebouncer,
    private readonly metrics: MessageMetrics,
    private readonly tenants: TenantDirectory,
    private readonly erasedIds: ErasedIds,
    @Inject(PROCESSING_SETTINGS) { MESSAGE_PROCESSOR_TIMEOUT }: ProcessingSettings,
  ) {
    // Leaves time to commit a late reply if a conflict requires another attempt.
    this.timeoutMs = MESSAGE_PROCESSOR_TIMEOUT + RETRY_TIMEOUT_MS;
  }

  /**
   * A responder that is not immediate is called after the user message has been stored with its `seq`. If the
   * tenant's responder is disabled, the message is stored as answered, without a reply. A message with a
   * known `externalId` is not stored again: its stored reply is returned, or created if it is missing.
   *
   * With `debounceMs` the message is stored, and then waits outside the serial work of its session. If another
   * message of the conversation is stored in the meantime, it is answered with that one.
   * @throws ProblemError 502 `responder_failed`, 503 `responder_busy`, 504 `responder_timeout`; in all three
   * cases the user message is stored
   * @throws ProblemError 404 `conversation_not_found` if the conversation was erased after the message was stored
   * @throws ProblemError 409 `external_id_in_use`, 409 `session_conflict`, 409 `conversation_conflict`
   * @throws ProblemError 410 `erased` if the message was erased with the data of its participant
   */
  process(tenant: TenantIdentity, inbound: InboundMessageBody): Promise<ProcessedMessage> {
    const { tenantId } = tenant;
    const { externalId } = inbound;
    const messageId =
      externalId === undefined
        ? new Types.ObjectId()
        : messageIdOf(tenantId, externalKeyOf(inbound, externalId));
    const job: Job = { tenant, inbound, messageId };
    const handled = this.run(job).catch((error: unknown) => {
      throw problemOf(error, job.stored);
    });
    return this.metrics.handled(handled);
  }

  private async run(job: Job): Promise<ProcessedMessage> {
    for (;;) {
      const outcome = await this.sessions.withRetry(
        job.tenant.tenantId,
        job.inbound.participantId,
        (session, attempt) => this.handle(job, session, attempt),
        isSuperseded,
        this.timeoutMs,
      );
      if (!('waitMs' in outcome)) return outcome;
      await this.debouncer.wait(outcome, outcome.waitMs);
      job.hasWaited = true;
    }
  }

  /** Runs with the session open: finds the conversation, calls the responder, and commits. */
  private async handle(
    job: Job,
    session: SessionState,
    attempt: Attempt,
  ): Promise<ProcessedMessage | Waiting> {
    if (attempt.number > 1) this.metrics.retried();
    if (attempt.number > 1 || job.hasWaited) await this.checkTenant(job);
    let turn = await this.findConversation(job, session);
    if (job.stored && !turn.stored) throw erasedMeanwhile(job);
    if (turn.stored?.message.answeredBy !== undefined) return this.repeated(job, session, turn.stored);
    try {
      const responder = await this.responderOf(job.tenant);
      const { isImmediate, debounceMs } = responder;
      if (!isImmediate || debounceMs > 0) {
        job.hadTenant ??= (await this.tenants.find(job.tenant.tenantId)) !== undefined;
        turn = await this.store(job, turn, attempt, debounceMs);
      }
      const waiting = debounceMs > 0 && !job.hasWaited && waitingOf(turn);
      if (waiting) return waiting;
      const { message } = turn.stored ?? {};
      const burst = message?.burstFrom === undefined ? [] : await this.burstOf(message);
      const result = await responder.run(this.requestOf(job, turn, burst));
      return await this.commit(job, turn, result, attempt);
    } catch (error) {
      if (error instanceof ExchangeSupersededError && turn.conversationId !== null)
        this.locator.forget(session.tenantId, turn.conversationId);
      // Without a usable reply, the user message is stored on its own.
      if (isResponderFailure(error)) await this.store(job, turn, attempt);
      throw error;
    }
  }

  /**
   * The tenant may have been deleted or deactivated while the responder was working, or the message waited.
   * Then nothing more is stored.
   * @throws ProblemError 403 `tenant_inactive`
   */
  private async checkTenant({ tenant: { tenantId }, hadTenant }: Job): Promise<void> {
    const tenant = await this.tenants.find(tenantId);
    if (tenant ? !tenant.isActive : hadTenant) throw tenantInactive();
  }

  private async findConversation(job: Job, session: SessionState): Promise<Turn> {
    const { channel } = job.inbound;
    const stored = await this.findStored(job);
    const conversationId = stored
      ? stored.conversation._id.toHexString()
      : await this.locator.locate(session, channel);
    const opensConversation =
      job.hasWaited === true && stored && endsOpeningBurst(stored.conversation, stored.message);
    return { session, channel, conversationId, stored, opensConversation };
  }

  /**
   * Returns the user message if an earlier attempt, or a request with the same externalId, has already stored
   * it.
   * @throws ProblemError 409 `external_id_in_use` if that is another message
   */
  private async findStored(job: Job): Promise<Turn['stored']> {
    const {
      tenant: { tenantId },
      inbound,
      stored,
    } = job;
    const { externalId } = inbound;
    const message =
      externalId === undefined
        ? stored && (await this.messages.find(tenantId, stored._id))
        : await this.messages.findByExternalKey(tenantId, externalKeyOf(inbound, externalId));
    if (!message) return this.notStored(job);
    const conversation = await this.conversations.find(tenantId, message.conversationId.toHexString());
    if (!conversation) {
      return this.notStored(job, message);
    }
    if (externalId !== undefined) checkRepeated(message, { ...inbound, role: 'user' });
    return { message, conversation };
  }

  /**
   * @param erased the message, if its conversation is being erased
   * @throws ProblemError 410 `erased` if the message was erased with the data of its participant
   */
  private async notStored(job: Job, erased?: MessageRecord): Promise<undefined> {
    const {
      tenant: { tenantId },
      inbound,
    } = job;
    const { externalId } = inbound;
    if (externalId === undefined) return;
    try {
      // If its erasure was interrupted, finishing it frees the externalId.
      if (erased) await this.eraser.finishIfErased(tenantId, erased.conversationId);
      await this.erasedIds.refuse(tenantId, 'message', [externalKeyOf(inbound, externalId)]);
    } catch (error) {
      // The problem must not say that the message is stored.
      delete job.stored;
      throw error;
    }
  }

  private async repeated(
    { tenant: { tenantId }, hasStored = false }: Job,
    session: SessionState,
    { message, conversation }: NonNullable<Turn['stored']>,
  ): Promise<ProcessedMessage> {
    const answer = message.answeredBy ? await this.messages.find(tenantId, message.answeredBy) : null;
    const coalesced = answer?.role === 'user';
    return {
      conversation,
      message,
      // Only the request of the last message of a burst gets the reply, so that it is delivered once.
      reply: coalesced ? null : answer,
      session,
      written: hasStored,
      coalesced,
    };
  }

  private async responderOf({ tenantId, features }: TenantIdentity): Promise<TenantResponder> {
    return features.responder ? this.responders.of(tenantId) : silent;
  }

  private async commit(
    job: Job,
    turn: Turn,
    result: ResponderResult,
    { remainingMs }: Attempt,
  ): Promise<ProcessedMessage> {
    const { session, stored } = turn;
    const exchange = stored
      ? await this.writer.storeReply(session, stored.message, result, remainingMs)
      : await this.writer.storeExchange(turn, userMessageOf(job), result, remainingMs);
    return { ...exchange, written: true, coalesced: false };
  }

  /** Stores the user message without a reply, unless it is already stored. Returns the updated turn. */
  private async store(job: Job, turn: Turn, { remainingMs }: Attempt, debounceMs = 0): Promise<Turn> {
    if (turn.stored) {
      job.stored = turn.stored.message;
      return turn;
    }
    const stored = await this.writer.storeUserMessage(turn, userMessageOf(job), remainingMs, debounceMs);
    const { message, conversation, session } = stored;
    job.stored = message;
    job.hasStored = true;
    const conversationId = conversation._id.toHexString();
    if (debounceMs > 0) this.debouncer.end(session.tenantId, conversationId);
    return {
      session,
      channel: turn.channel,
      conversationId,
      stored: { message, conversation },
      opensConversation: turn.conversationId === null || endsOpeningBurst(conversation, message),
    };
  }

  /** Returns the earlier messages of the burst that the message ends. */
  private async burstOf(message: MessageRecord): Promise<MessageRecord[]> {
    const { tenantId, conversationId, seq, burstFrom = seq } = message;
    const range = { after: burstFrom - 1, before: seq };
    const rows = await this.messages.first(tenantId, conversationId.toHexString(), range, seq - burstFrom);
    const ids = new Set([...rows, message].map(({ _id }) => _id.toHexString()));
    return rows.filter(
      ({ answeredBy, deletedAt }) => answeredBy && ids.has(answeredBy.toHexString()) && !deletedAt,
    );
  }

  private requestOf(
    { tenant, inbound, messageId }: Job,
    { session, conversationId, opensConversation, stored }: Turn,
    burst: readonly MessageRecord[],
  ): Omit<ResponderRequest, 'config'> {
    const { participantId, channel } = inbound;
    const lastSeq = stored && stored.message.seq - 1;
    const message = stored?.message ?? { ...inbound, _id: messageId, seq: undefined };
    const { seq } = message;
    return {
      tenant,
      conversation: { id: opensConversation ? null : conversationId, channel, participantId },
      message: inboundMessage(message),
      ...(burst.length > 0 && { burst: burst.map(inboundMessage) }),
      session: { activeGoals: session.activeGoals, context: session.context },
      history: async (limit) => {
        const count = Math.min(Math.floor(limit), MAX_HISTORY);
        if (conversationId === null || !(count > 0)) return [];
        const rows = await this.messages.last(
          tenant.tenantId,
          conversationId,
          { before: seq },
          count,
          lastSeq,
        );
        return rows.flatMap(({ role, content: said, deletedAt }) =>
          deletedAt ? [] : [{ role, content: said }],
        );
      },
    };
  }
}

const userMessageOf = ({
  messageId,
  inbound: { content, attachments, externalId, metadata },
}: Job): NewUserMessage => ({
  _id: messageId,
  content,
  attachments,
  metadata,
  externalId,
});

const inboundMessage = ({
  _id,
  content,
  attachments,
  metadata = {},
  externalId,
}: NewUserMessage): InboundMessage => ({
  id: _id.toHexString(),
  content,
  attachments,
  metadata,
  externalId: externalId ?? null,
});

/** Undefined if the message is to be answered now. */
function waitingOf({ session: { tenantId }, stored }: Turn): Waiting | undefined {
  if (!stored) return undefined;
  const { conversation, message } = stored;
  const waitMs = remainingWait(conversation, message, Date.now());
  const conversationId = conversation._id.toHexString();
  return waitMs > 0 ? { tenantId, conversationId, messageId: message._id.toHexString(), waitMs } : undefined;
}

/**
 * The conversation was erased while the message waited or its responder worked. The message must not be stored
 * again, and the problem must not say that it is stored.
 */
function erasedMeanwhile(job: Job): ProblemError {
  const { stored } = job;
  delete job.stored;
  return notFound('conversation', stored?.conversationId.toHexString() ?? '');
}
