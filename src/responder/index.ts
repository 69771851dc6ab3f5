export {
  type HistoryEntry,
  type InboundMessage,
  type ReplyContent,
  type Responder,
  ResponderError,
  type ResponderRequest,
  type ResponderResult,
  type SummaryRequest,
} from './responder.js';
export { type Attachment, MAX_METADATA_BYTES, type MessageRole } from './message-content.js';
export {
  attachment,
  attachments,
  channel,
  content,
  emptyMessage,
  externalId,
  isNotEmpty,
  metadata,
} from './message-content.dto.js';
export { ResponderModule } from './responder.module.js';
export {
  isResponderFailure,
  ResponderBusyError,
  ResponderRunner,
  ResponderTimeoutError,
  type TenantResponder,
} from './responder-runner.js';
export { ResponderSettingsService } from './responder-settings.service.js';
