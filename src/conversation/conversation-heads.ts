import { Injectable } from '@nestjs/common';
import { CacheFamily, CacheService, type Lifetime } from '../cache/index.js';
import { TransactionRunner } from '../database/index.js';
import { ConversationRepository } from './conversation.repository.js';
import type { ConversationRecord } from './conversation.schema.js';

const heads = new CacheFamily<ConversationRecord>('conversation');

/** Every write deletes the entry everywhere; the second is for processes that cannot hear of it. */
const lifetime: Lifetime = { ttlMs: 60_000, localTtlMs: 1000 };

/** Conversations without their messages, as clients read them again and again: from the cache. Writers read the database. */
@Injectable()
export class ConversationHeads {
  constructor(
    private readonly conversations: ConversationRepository,
    private readonly cache: CacheService,
    private readonly transactions: TransactionRunner,
  ) {}

  /** As it was committed last; in another process than the one that wrote, up to a second ago when no Redis tells of it. */
  async find(tenantId: string, id: string): Promise<ConversationRecord | null> {
    const load = (): Promise<ConversationRecord | null> => this.conversations.find(tenantId, id);
    // What a transaction sees is not committed, and may be what it changed itself.
    if (this.transactions.active) return load();
    const found = await this.cache.wrap(
      heads.key(tenantId, id),
      lifetime,
      async () => (await load()) ?? undefined,
    );
    return found ?? null;
  }

  /** To be called with every change, in the transaction that makes it if there is one. */
  changed(tenantId: string, id: string): Promise<void> {
    return this.transactions.afterCommit(() => this.cache.del(heads.key(tenantId, id)));
  }
}
