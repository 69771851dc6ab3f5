import { Inject, Injectable } from '@nestjs/common';
import { TenantDirectory, type TenantIdentity } from '../../tenant/index.js';
import { type Job, QueueService, UnrecoverableError } from '../../queue/index.js';
import { TranscriptService } from '../../transcript/index.js';
import { ConversationRepository } from '../conversation.repository.js';
import type { ConversationRecord } from '../conversation.schema.js';
import { ClosingRepository } from './closing.repository.js';
import { type ConversationText, ConversationTextReader } from './conversation-text.js';
import {
  type ClosedConversation,
  type ClosingContent,
  formerPayloadFields,
} from './conversation-transcript.queue.js';
import { SUMMARIZER, type Summarizer } from './summarizer.js';

/** The result of the job. */
export interface Transcribed {
  /** Null if the conversation was erased before its transcript was created. */
  transcriptId: string | null;
  messages: number;
  /** Number of messages left out of a text that was too long. */
  omitted: number;
  summary: 'given' | 'extractive' | 'responder' | null;
}

/** Progress in percent once all messages have been read. */
const READ_SHARE = 70;

const erased: Transcribed = { transcriptId: null, messages: 0, omitted: 0, summary: null };

/**
 * Creates the transcript of a closed conversation and passes it to the transcript module. Safe to repeat: the
 * transcript is stored once.
 */
@Injectable()
export class ConversationTranscriber {
  constructor(
    private readonly conversations: ConversationRepository,
    private readonly closings: ClosingRepository,
    private readonly queues: QueueService,
    private readonly reader: ConversationTextReader,
    private readonly transcripts: TranscriptService,
    private readonly tenants: TenantDirectory,
    @Inject(SUMMARIZER) private readonly summarizer: Summarizer,
  ) {}

  /**
   * @throws UnrecoverableError if the tenant does not exist, or its transcripts are disabled
   * @throws ProblemError 429 `transcript_queue_full`; the caller should retry
   */
  async transcribe({
    id: jobId,
    tenantId,
    payload,
    signal,
    progress,
  }: Pick<
    Job<ClosedConversation>,
    'id' | 'tenantId' | 'payload' | 'signal' | 'progress'
  >): Promise<Transcribed> {
    const tenant = await this.tenantOf(tenantId);
    const { conversationId, seq, transcriptId } = payload;
    const read = await this.reader.read(tenantId, conversationId, {
      upToSeq: seq,
      signal,
      onProgress: (share) => progress(READ_SHARE * share),
    });
    const found = await this.conversations.find(tenantId, conversationId);
    if (!found || read.text === '') return erased;
    await progress(READ_SHARE);
    const content = await this.contentOf(tenantId, jobId, payload);
    const summary = await this.summaryOf(tenant, found, { ...payload, ...content }, read, signal);
    // The conversation may have been erased while the summary was generated; then nothing of it may be
    // stored.
    if (!(await this.conversations.find(tenantId, conversationId))) return erased;
    await progress(90);
    signal.throwIfAborted();
    await this.transcripts.enqueue(
      tenant,
      {
        participantId: found.participantId,
        channel: found.channel,
        transcript: read.text,
        summary: summary.text ?? undefined,
        metadata: metadataOf(found, { ...payload, ...content }, read),
      },
      transcriptId,
    );
    await this.closings.removeContent(tenantId, jobId);
    if (payload.metadata) await this.queues.scrub(tenantId, [jobId], formerPayloadFields);
    return { transcriptId, messages: seq, omitted: read.omitted, summary: summary.by };
  }

  /** What was given at the closing. Jobs stored by earlier versions have it in their payload. */
  private async contentOf(
    tenantId: string,
    jobId: string,
    { goals = [], summary, metadata = {} }: ClosedConversation,
  ): Promise<ClosingContent> {
    const closing = await this.closings.find(tenantId, jobId);
    return closing?.content ?? { goals, summary, metadata };
  }

  private async tenantOf(tenantId: string): Promise<TenantIdentity> {
    const tenant = await this.tenants.find(tenantId);
    if (!tenant) throw new UnrecoverableError(`Tenant "${tenantId}" does not exist.`);
    if (!tenant.features.transcripts)
      throw new UnrecoverableError('Transcripts are disabled for this tenant; nothing was stored.');
    return tenant;
  }

  private async summaryOf(
    tenant: TenantIdentity,
    { participantId, channel }: ConversationRecord,
    { conversationId: id, transcriptId, goals, summary }: ClosedConversation & ClosingContent,
    { text, firstRequest, lastReply }: ConversationText,
    signal: AbortSignal,
  ): Promise<{ text: string | null; by: Transcribed['summary'] }> {
    if (summary !== undefined) return { text: summary, by: 'given' };
    const conversation = { id, channel, participantId };
    return this.summarizer.summarize(
      { tenant, conversation, transcriptId, text, firstRequest, lastReply, goals },
      signal,
    );
  }
}

/** The caller's metadata plus facts about the conversation, which take precedence. */
const metadataOf = (
  { title }: ConversationRecord,
  { conversationId, seq, metadata }: ClosedConversation & ClosingContent,
  { firstMessageAt, lastMessageAt, omitted }: ConversationText,
): Record<string, unknown> => ({
  ...metadata,
  conversationId,
  title: title ?? null,
  messageCount: seq,
  omittedMessages: omitted,
  firstMessageAt: firstMessageAt?.toISOString() ?? null,
  lastMessageAt: lastMessageAt?.toISOString() ?? null,
});
