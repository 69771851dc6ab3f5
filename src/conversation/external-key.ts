import type { mongo } from 'mongoose';
import { CONVERSATION_COLLECTION, type ConversationRecord } from './conversation.schema.js';

/** The participant and channel of a conversation, within which an externalId identifies a message. */
export type Correspondent = Pick<ConversationRecord, 'participantId' | 'channel'>;

/** Follows each part of a key. Ids and channels contain no control characters. */
const END = '\n';
const AFTER_END = '\u000b';

/**
 * Identifies a message within its tenant by the sender's id. Providers number the messages of each chat or
 * phone number, so two participants, or two channels of one, may use the same externalId.
 */
export const externalKeyOf = ({ channel, participantId }: Correspondent, externalId: string): string =>
  `${externalId}${END}${channel}${END}${participantId}${END}`;

/** The range of keys with this externalId, optionally only those of a channel, or of a participant on it. */
export function externalKeyRange(
  externalId: string,
  channel?: string,
  participantId?: string,
): { $gte: string; $lt: string } {
  const parts = [externalId, ...(channel === undefined ? [] : [channel])];
  if (channel !== undefined && participantId !== undefined) parts.push(participantId);
  const known = parts.join(END);
  return { $gte: known + END, $lt: known + AFTER_END };
}

const BATCH = 1000;

type Unkeyed = { _id: mongo.ObjectId; tenantId: string; conversationId: mongo.ObjectId; externalId: string };

/** Adds the key to messages that a version without it has stored. Safe to run repeatedly. */
export async function addExternalKeys(messages: mongo.Collection, db: mongo.Db): Promise<void> {
  let last: mongo.ObjectId | undefined;
  for (;;) {
    const rows: Unkeyed[] = await messages
      .find<Unkeyed>(
        {
          externalId: { $exists: true },
          externalKey: { $exists: false },
          ...(last && { _id: { $gt: last } }),
        },
        { projection: { tenantId: 1, conversationId: 1, externalId: 1 } },
      )
      .sort({ _id: 1 })
      .limit(BATCH)
      .toArray();
    last = rows.at(-1)?._id;
    if (last === undefined) return;
    const conversations = await db
      .collection<ConversationRecord>(CONVERSATION_COLLECTION)
      .find(
        {
          tenantId: { $in: [...new Set(rows.map(({ tenantId }) => tenantId))] },
          _id: { $in: rows.map(({ conversationId }) => conversationId) },
        },
        { projection: { participantId: 1, channel: 1 } },
      )
      .toArray();
    const owners = new Map(conversations.map((one) => [one._id.toHexString(), one]));
    const updates = rows.flatMap(({ _id, tenantId, conversationId, externalId }) => {
      const owner = owners.get(conversationId.toHexString());
      const update = owner && { $set: { externalKey: externalKeyOf(owner, externalId) } };
      return update ? [{ updateOne: { filter: { tenantId, _id }, update } }] : [];
    });
    if (updates.length > 0) await messages.bulkWrite(updates, { ordered: false });
  }
}
