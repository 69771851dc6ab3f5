import { type Collection, type Document, ObjectId } from 'mongodb';

/** A message in the form that a conversation service stores, about 300 bytes. */
export interface Message extends Document {
  _id: ObjectId;
  tenantId: string;
  conversationId: ObjectId;
  seq: number;
}

export interface Conversation {
  tenantId: string;
  conversationId: ObjectId;
}

const BATCH = 1_000;
const WRITERS = 4;
const CONVERSATIONS = 20;
const ROLES = ['user', 'assistant'];
const TEXT = 'The invoice of last month shows a position twice; could you have a look at it, please? ';

export const indexes = [
  { key: { tenantId: 1, conversationId: 1, seq: 1 }, unique: true },
  { key: { tenantId: 1, role: 1, timestamp: -1, _id: -1 } },
  { key: { tenantId: 1, timestamp: -1, _id: -1 } },
  {
    key: { tenantId: 1, externalId: 1 },
    unique: true,
    partialFilterExpression: { externalId: { $exists: true } },
  },
] as const;

/**
 * Writes this many messages: every second one into the first conversation, the others spread over many
 * conversations. Returns the first conversation and the number of its messages.
 */
export async function writeMessages(
  messages: Collection<Message>,
  count: number,
): Promise<{ longest: Conversation; length: number }> {
  const conversations = Array.from({ length: CONVERSATIONS }, () => ({
    conversation: { tenantId: 'acme', conversationId: new ObjectId() },
    length: 0,
  }));
  const [first] = conversations;
  if (!first) throw new Error('there is no conversation');
  let written = 0;
  const started = Date.UTC(2026, 0, 1);
  const make = (): Message => {
    const nth = written++;
    const into = (nth % 2 === 0 ? first : conversations[1 + (nth % (CONVERSATIONS - 1))]) ?? first;
    const seq = ++into.length;
    return {
      _id: new ObjectId(),
      ...into.conversation,
      seq,
      role: ROLES[seq % 2],
      content: TEXT.slice(0, 30 + ((nth * 7) % 58)),
      attachments: [],
      externalId: `external-${nth}`,
      metadata: { channel: 'web', locale: 'en', client: { version: '1.4.2', build: nth % 100 } },
      timestamp: new Date(started + nth * 250),
    };
  };
  await Promise.all(
    Array.from({ length: WRITERS }, async () => {
      while (written < count) {
        const batch = Array.from({ length: Math.min(BATCH, count - written) }, make);
        await messages.insertMany(batch, { ordered: false });
      }
    }),
  );
  return { longest: first.conversation, length: first.length };
}
