import { sameJson } from '../common/index.js';
import { externalIdInUse } from './conversation.errors.js';
import type { MessageRecord } from './message.schema.js';

/** A message with an externalId that was stored before, as it is sent again. */
export type SentMessage = Pick<MessageRecord, 'role' | 'content' | 'attachments'> & {
  metadata?: Record<string, unknown> | undefined;
};

/**
 * Checks that the stored message is the one that is sent again. What an edited or deleted message contained
 * when it was sent is not known; a provider may still repeat it, so only its role is compared.
 * @throws ProblemError 409 `external_id_in_use`
 */
export function checkRepeated(stored: MessageRecord, sent: SentMessage): void {
  const isChanged = stored.editedAt !== undefined || stored.deletedAt !== undefined;
  const isSame =
    stored.role === sent.role &&
    (isChanged ||
      (stored.content === sent.content &&
        sameJson(stored.attachments, sent.attachments) &&
        sameJson(stored.metadata, sent.metadata ?? {})));
  if (!isSame) throw externalIdInUse(stored, ', whose role, content, attachments or metadata differ');
}
