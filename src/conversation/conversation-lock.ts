import { Injectable } from '@nestjs/common';
import { KeyedSerializer } from '../common/index.js';

/**
 * Writers of one conversation take turns within this process, so that their transactions do not run into each other and try
 * again; across processes the database's conflict detection keeps them apart. Taken after a session's turn, never before.
 */
@Injectable()
export class ConversationLock {
  private readonly serializer = new KeyedSerializer();

  run<T>(tenantId: string, conversationId: string, work: () => Promise<T>): Promise<T> {
    return this.serializer.run(`${tenantId}\0${conversationId}`, work);
  }
}
