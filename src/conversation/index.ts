export { ConversationModule } from './conversation.module.js';
export { MessageProcessor, type ProcessedMessage } from './message-processor.js';
