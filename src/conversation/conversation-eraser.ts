import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { Types } from 'mongoose';
import { LOGGER, type Logger } from '../logging/index.js';
import { dataErased } from '../tenant/index.js';
import { ConversationWriter } from './conversation-writer.js';
import { ConversationRepository } from './conversation.repository.js';
import { DerivedData } from './derived-data.js';
import { MessageRepository } from './message.repository.js';

/** Messages deleted per statement. Small, so that other operations are not held up. */
const BATCH = 500;

const SWEEP_INTERVAL_MS = 60_000;

/** An erasure that began this long ago is considered interrupted, milliseconds. */
const SWEEP_AFTER_MS = 60_000;

/** Maximum number of erasures that one sweep finishes; the next sweep continues. */
const SWEEP_LIMIT = 1000;

/**
 * Deletes conversations with all their messages and what was derived from them (`DerivedData`). The
 * conversation is first marked as erased, which hides it from every read and write. Then its transcripts and
 * messages are deleted, the messages in batches, and finally the conversation itself. Each step is
 * idempotent, so an erasure that a crash interrupts is finished by the next sweep of any process.
 *
 * Conversations that were copied to an archive are deleted in the same way, but their transcripts stay. So is
 * what an interrupted restore has inserted of a large conversation.
 */
@Injectable()
export class ConversationEraser implements BeforeApplicationShutdown {
  private stopping = false;
  private sweeping: Promise<number> | undefined;

  constructor(
    private readonly conversations: ConversationRepository,
    private readonly writer: ConversationWriter,
    private readonly messages: MessageRepository,
    private readonly derived: DerivedData,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** @throws ProblemError 404 `conversation_not_found` */
  async erase(tenantId: string, conversationId: string): Promise<void> {
    await this.writer.markErased(tenantId, conversationId);
    await this.finish(tenantId, new Types.ObjectId(conversationId));
  }

  /**
   * Deletes the rest of a conversation that is marked as erased. Returns false if interrupted by a shutdown, or
   * if the conversation is just being restored.
   */
  async finish(tenantId: string, conversationId: Types.ObjectId): Promise<boolean> {
    const conversation = await this.conversations.findEvenErased(tenantId, conversationId.toHexString());
    if (conversation?.isRestoring && !(await this.conversations.abandonRestore(conversation))) return false;
    // Transcripts of archived conversations are kept.
    if (conversation?.archiveId) await this.derived.deleteClosings(conversation);
    else if (conversation?.erasedAt) await this.derived.erase(conversation);
    while (await this.messages.deleteFirst(tenantId, conversationId, BATCH)) if (this.stopping) return false;
    await this.conversations.deleteErased(tenantId, conversationId);
    this.writer.forget(tenantId, conversationId.toHexString());
    return true;
  }

  /**
   * Frees an externalId that is still held by a message of a conversation being erased.
   * @returns true if the message is now deleted; false if its conversation is not marked as erased
   * @throws ProblemError 410 `erased` if everything of its participant is being erased
   */
  async finishIfErased(tenantId: string, conversationId: Types.ObjectId): Promise<boolean> {
    const owner = await this.conversations.findEvenErased(tenantId, conversationId.toHexString());
    if (owner?.isWithParticipant === true) throw dataErased();
    return owner?.erasedAt ? this.finish(tenantId, conversationId) : false;
  }

  @Interval('conversation-erasure-sweep', SWEEP_INTERVAL_MS)
  async scheduledSweep(): Promise<void> {
    try {
      await this.sweep(new Date(Date.now() - SWEEP_AFTER_MS));
    } catch (error) {
      this.logger.error({ err: error }, 'the sweep of unfinished erasures failed; the next sweep retries');
    }
  }

  /**
   * Finishes erasures that began before `before` and returns their number. Runs only once at a time per
   * process.
   */
  sweep(before: Date): Promise<number> {
    this.sweeping ??= this.finishErasures(before).finally(() => (this.sweeping = undefined));
    return this.sweeping;
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopping = true;
    await this.sweeping?.catch(() => undefined);
  }

  private async finishErasures(before: Date): Promise<number> {
    const unfinished = await this.conversations.unfinishedErasures(before, SWEEP_LIMIT);
    let finished = 0;
    for (const { tenantId, conversationId } of unfinished) {
      if (this.stopping) break;
      await this.finish(tenantId, conversationId);
      finished++;
    }
    if (finished > 0) this.logger.info({ finished }, 'finished interrupted erasures of conversations');
    return finished;
  }
}
