import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { SessionState } from '../session/index.js';
import { ConversationRepository } from './conversation.repository.js';
import type { ConversationRecord } from './conversation.schema.js';

/** Maximum number of remembered conversations, about 200 bytes each. */
const REMEMBERED = 10_000;

/**
 * Finds the conversation that an inbound message continues. The participant and channel of a conversation
 * never change, so they are remembered: a session in memory that stays on its channel needs no read. Whether
 * the conversation is still open is checked by the write.
 */
@Injectable()
export class ConversationLocator {
  private readonly known = new LRUCache<string, string>({ max: REMEMBERED });

  constructor(private readonly conversations: ConversationRepository) {}

  /**
   * Returns the session's own conversation, otherwise the participant's newest active one on the channel,
   * otherwise null.
   */
  async locate(state: SessionState, channel: string): Promise<string | null> {
    const { tenantId, participantId, conversationId } = state;
    if (conversationId !== null && (await this.isOn(tenantId, conversationId, participantId, channel)))
      return conversationId;
    const latest = await this.conversations.latestActive(tenantId, participantId, channel);
    if (!latest) return null;
    this.remember(latest);
    return latest._id.toHexString();
  }

  remember({ tenantId, _id, participantId, channel }: ConversationRecord): void {
    this.known.set(`${tenantId}\0${_id.toHexString()}`, `${channel}\0${participantId}`);
  }

  /** Must be called when a conversation turns out to be closed or erased. */
  forget(tenantId: string, conversationId: string): void {
    this.known.delete(`${tenantId}\0${conversationId}`);
  }

  private async isOn(
    tenantId: string,
    conversationId: string,
    participantId: string,
    channel: string,
  ): Promise<boolean> {
    const known = this.known.get(`${tenantId}\0${conversationId}`);
    if (known !== undefined) return known === `${channel}\0${participantId}`;
    const conversation = await this.conversations.find(tenantId, conversationId);
    if (!conversation) return false;
    if (!conversation.isActive) return false;
    this.remember(conversation);
    return conversation.channel === channel && conversation.participantId === participantId;
  }
}
