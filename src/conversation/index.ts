/**
 * Conversations and messages. A feature module imports `ConversationModule` and injects
 *
 * - `ConversationService`, to create, read, list, change and erase conversations;
 * - `MessageService`, to append, edit and delete messages of a conversation, and to list those of one or of
 *   all;
 * - `MessageProcessor`, to handle an inbound message: store it, ask the responder, store the reply and the
 * session.
 *
 * All take the tenant first and see nothing of another one. They write by group commit, which is atomic for
 * itself and takes no part in a transaction of the caller's; they throw ProblemErrors, which become the API's
 * problem documents.
 */
export { ConversationModule } from './conversation.module.js';
export { ConversationService } from './conversation.service.js';
export type {
  ConversationsQuery,
  CreateConversationBody,
  UpdateConversationBody,
} from './conversation.dto.js';
export type { ConversationRecord } from './conversation.schema.js';
export { ParticipantConversations } from './participant-conversations.js';
export { MessageProcessor, type ProcessedMessage } from './message-processor.js';
export { type AppendResult, MessageService } from './message.service.js';
export type {
  ConversationMessagesQuery,
  InboundMessageBody,
  MessageInput,
  MessagesQuery,
} from './message.dto.js';
export type { MessageRecord } from './message.schema.js';
