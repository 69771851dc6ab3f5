import { Types } from 'mongoose';
import type { MessageInput } from '../../../src/conversation/message.dto.js';
import { newConversation } from '../../../src/conversation/conversation.schema.js';
import type { ConversationWriter, ExchangeContext } from '../../../src/conversation/conversation-writer.js';
import { freshState } from '../../../src/session/session-changes.js';
import type { SessionState } from '../../../src/session/index.js';
import type { SessionStore } from '../../../src/session/session-store.js';
import { at, type Cases, id, once, tenantId } from './cases.js';
import { state } from './tenant-cases.js';

const TIMEOUT_MS = 10_000;

const conversation = newConversation(
  tenantId,
  { participantId: 'eve', channel: 'web', metadata: {} },
  at,
  id,
);
const conversationId = id.toHexString();
const unknownId = new Types.ObjectId().toHexString();

/** A session that is not stored yet. */
const fresh = (participantId: string): SessionState =>
  freshState(tenantId, participantId, new Date(), 3_600_000);
const place = (session: SessionState, where: string | null = conversationId): ExchangeContext => ({
  session,
  channel: 'web',
  conversationId: where,
});
const userMessage = () => ({ _id: new Types.ObjectId(), content: 'Hi', attachments: [] });
const input: MessageInput = { role: 'user', content: 'Hi', attachments: [], metadata: {} };
const result = { reply: { content: 'Hello' }, context: { greeted: true } };

/** Ignores the error of a query that finds nothing; only the query itself matters. */
const finding = async (nothing: Promise<unknown>): Promise<void> => {
  await nothing.catch(() => undefined);
};

/** A new session with one exchange, and a second message without a reply. */
async function unanswered(writer: ConversationWriter, participantId: string) {
  const { session } = await writer.storeExchange(
    place(fresh(participantId), null),
    userMessage(),
    result,
    TIMEOUT_MS,
  );
  return writer.storeUserMessage(place(session, session.conversationId), userMessage(), TIMEOUT_MS);
}

export const conversationWriterCases: Cases<ConversationWriter> = {
  create: once((writer) => writer.create(conversation)),
  append: {
    '': (writer) => writer.append(tenantId, conversationId, [input], TIMEOUT_MS),
    // The conversation is not in memory, so it is read.
    'of two conversations': (writer) =>
      Promise.all(
        [unknownId, new Types.ObjectId().toHexString()].map((unknown) =>
          finding(writer.append(tenantId, unknown, [input], TIMEOUT_MS)),
        ),
      ),
  },
  update: {
    '': (writer) => writer.update(tenantId, conversationId, () => ({ title: 'Greetings' })),
    'of two tenants': (writer) =>
      Promise.all(
        [tenantId, 'other'].map((tenant) =>
          finding(writer.update(tenant, unknownId, () => ({ title: 'Greetings' }))),
        ),
      ),
  },
  storeUserMessage: {
    'in a new conversation': (writer) =>
      writer.storeUserMessage(place(fresh('bob'), null), userMessage(), TIMEOUT_MS),
    'in a conversation': (writer) => writer.storeUserMessage(place(fresh('eve')), userMessage(), TIMEOUT_MS),
  },
  storeExchange: {
    'first of a session': (writer) =>
      writer.storeExchange(place(fresh('eve')), userMessage(), result, TIMEOUT_MS),
    next: async (writer) => {
      const { session } = await unanswered(writer, 'cem');
      return writer.storeExchange(place(session, session.conversationId), userMessage(), result, TIMEOUT_MS);
    },
  },
  storeReply: {
    '': async (writer) => {
      const { session, message } = await unanswered(writer, 'dan');
      return writer.storeReply(session, message, result, TIMEOUT_MS);
    },
    // The update is based on an outdated session, which is detected by a read.
    'of an old session': async (writer) => {
      const { session, message } = await unanswered(writer, 'flo');
      await writer.storeExchange(place(session, session.conversationId), userMessage(), result, TIMEOUT_MS);
      return finding(writer.storeReply(session, message, result, TIMEOUT_MS));
    },
  },
  changeMessage: once(async (writer) => {
    const { message } = await unanswered(writer, 'hal');
    return writer.changeMessage(message, () => ({ content: 'Hello' }));
  }),
  // Only changes the memory of the process.
  forget: {},
  markErased: once((writer) => writer.markErased(tenantId, conversationId)),
  // Finds nothing any more.
  markErasedWithParticipant: once((writer) =>
    finding(writer.markErasedWithParticipant(tenantId, conversationId)),
  ),
};

const first = { ...state, id: new Types.ObjectId().toHexString(), participantId: 'gus' };

export const sessionStoreCases: Cases<Pick<SessionStore, 'write'>> = {
  write: {
    'a new session': (store) => store.write(first, null, { write: () => undefined }),
    'its next version': (store) => store.write({ ...first, version: 2 }, first, { write: () => undefined }),
  },
};
