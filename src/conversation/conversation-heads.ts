import { Injectable } from '@nestjs/common';
import { CacheFamily, CacheService, type Lifetime } from '../cache/index.js';
import { ConversationRepository } from './conversation.repository.js';
import type { ConversationRecord } from './conversation.schema.js';

const heads = new CacheFamily<ConversationRecord>('conversation');

/**
 * Every write deletes the entry in all processes; the local second bounds staleness in processes that are not
 * notified.
 */
const lifetime: Lifetime = { ttlMs: 60_000, localTtlMs: 1000 };

/** Caches conversations (without their messages) for read requests. Writers read the database. */
@Injectable()
export class ConversationHeads {
  constructor(
    private readonly conversations: ConversationRepository,
    private readonly cache: CacheService,
  ) {}

  /**
   * Returns the last committed state. Without Redis, changes made by another process may appear up to one
   * second late.
   */
  async find(tenantId: string, id: string): Promise<ConversationRecord | null> {
    const load = async (): Promise<ConversationRecord | undefined> =>
      (await this.conversations.find(tenantId, id)) ?? undefined;
    return (await this.cache.wrap(heads.key(tenantId, id), lifetime, load)) ?? null;
  }

  /** Must be called after every change. */
  changed(tenantId: string, id: string): Promise<void> {
    return this.cache.del(heads.key(tenantId, id));
  }
}
