import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { Types } from 'mongoose';
import { LOGGER, type Logger } from '../logging/index.js';
import { ConversationWriter } from './conversation-writer.js';
import { ConversationRepository } from './conversation.repository.js';
import { MessageRepository } from './message.repository.js';

/** Messages deleted by one statement: few enough that other work is served in between. */
const BATCH = 500;

const SWEEP_INTERVAL_MS = 60_000;

/** An erasure this old is no longer at work in any process, or is in need of help. */
const SWEEP_AFTER_MS = 60_000;

/** Erasures that one sweep takes up; the rest waits for the next. */
const SWEEP_LIMIT = 1000;

/**
 * Deletes conversations with all their messages. The conversation is marked first, which hides it from every read and write at
 * once; then the messages go in batches, and the conversation last. Each step may be repeated, so a crash in between leaves
 * something that the sweep of any process finishes.
 */
@Injectable()
export class ConversationEraser implements BeforeApplicationShutdown {
  private stopping = false;
  private sweeping: Promise<number> | undefined;

  constructor(
    private readonly conversations: ConversationRepository,
    private readonly writer: ConversationWriter,
    private readonly messages: MessageRepository,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** @throws ProblemError 404 `conversation_not_found` */
  async erase(tenantId: string, conversationId: string): Promise<void> {
    await this.writer.markErased(tenantId, conversationId);
    await this.finish(tenantId, new Types.ObjectId(conversationId));
  }

  /** Deletes what is left of a conversation that is marked as erased; false when a shutdown came in between. */
  async finish(tenantId: string, conversationId: Types.ObjectId): Promise<boolean> {
    while (await this.messages.deleteFirst(tenantId, conversationId, BATCH)) if (this.stopping) return false;
    await this.conversations.deleteErased(tenantId, conversationId);
    return true;
  }

  /**
   * Clears the way when a message that still holds an externalId belongs to a conversation under erasure.
   * @returns true when the message is gone now; false when its conversation is not marked as erased
   */
  async finishIfErased(tenantId: string, conversationId: Types.ObjectId): Promise<boolean> {
    const owner = await this.conversations.findEvenErased(tenantId, conversationId.toHexString());
    return owner?.erasedAt ? this.finish(tenantId, conversationId) : false;
  }

  @Interval('conversation-erasure-sweep', SWEEP_INTERVAL_MS)
  async scheduledSweep(): Promise<void> {
    try {
      await this.sweep(new Date(Date.now() - SWEEP_AFTER_MS));
    } catch (error) {
      this.logger.error({ err: error }, 'the sweep of unfinished erasures failed; the next one tries again');
    }
  }

  /** Finishes erasures that began before `before`; returns how many. One sweep at a time in a process. */
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
