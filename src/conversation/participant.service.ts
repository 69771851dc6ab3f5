import { Injectable } from '@nestjs/common';
import { type Page, textCursor } from '../http/index.js';
import { ConversationRepository, type ParticipantActivity } from './conversation.repository.js';
import type { ParticipantsQuery } from './participant.dto.js';

@Injectable()
export class ParticipantService {
  constructor(private readonly conversations: ConversationRepository) {}

  /**
   * Lists the participants who have conversations, in order of their ids. A page may have fewer than `limit`
   * rows, because conversations that are being erased are left out.
   * @throws ProblemError 400 `invalid_cursor`
   */
  async list(tenantId: string, { limit, cursor }: ParticipantsQuery): Promise<Page<ParticipantActivity>> {
    const after = textCursor.decode(cursor) ?? '';
    const ids = await this.conversations.participantIds(tenantId, after, limit + 1);
    const shown = ids.slice(0, limit);
    const activity = await this.conversations.activityOf(tenantId, shown);
    const byId = new Map(activity.map((one) => [one.participantId, one]));
    const last = shown.at(-1);
    return {
      data: shown.flatMap((id) => byId.get(id) ?? []),
      nextCursor: ids.length > limit && last !== undefined ? textCursor.encode(last) : null,
    };
  }
}
