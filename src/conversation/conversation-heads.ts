import { Injectable } from '@nestjs/common';
import { CacheFamily, CacheService, type Lifetime } from '../cache/index.js';
import { ConversationRepository } from './conversation.repository.js';
import type { ConversationRecord } from './conversation.schema.js';

const heads = new CacheFamily<ConversationRecord>('conversation');

/** Every write deletes the entry everywhere; the second is for processes that are not notified. */
const lifetime: Lifetime = { ttlMs: 60_000, localTtlMs: 1000 };

/** Conversations without their messages, as clients read them again and again: from the cache. Writers read the database. */
@Injectable()
export class ConversationHeads {
  constructor(
    private readonly conversations: ConversationRepository,
    private readonly cache: CacheService,
  ) {}

  /** As it was committed last; what another process wrote, up to a second late when no Redis announces it. */
  async find(tenantId: string, id: string): Promise<ConversationRecord | null> {
    const load = async (): Promise<ConversationRecord | undefined> =>
      (await this.conversations.find(tenantId, id)) ?? undefined;
    return (await this.cache.wrap(heads.key(tenantId, id), lifetime, load)) ?? null;
  }

  /** To be called after every change. */
  changed(tenantId: string, id: string): Promise<void> {
    return this.cache.del(heads.key(tenantId, id));
  }
}
