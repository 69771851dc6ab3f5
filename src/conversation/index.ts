export { ConversationModule } from './conversation.module.js';
export { MessageProcessor, type ProcessedMessage } from './message-processor.js';
export {
  type HistoryEntry,
  type ReplyContent,
  type Responder,
  ResponderError,
  type ResponderRequest,
  type ResponderResult,
  type SummaryRequest,
} from './responders/responder.js';
export { RESPONDERS } from './responders/responder-registry.js';
