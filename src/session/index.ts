export { ConversationStateManager, type SessionMemoryStats } from './conversation-state-manager.js';
export { mergePatch } from './merge-patch.js';
export {
  goalIdParam,
  goalType,
  participantIdParam,
  sessionView,
  sessionViewSchema,
  type SessionView,
} from './session.dto.js';
export { SessionConflictError } from './session.errors.js';
export type { SessionsSection } from './session-monitoring.js';
export { SessionModule } from './session.module.js';
export { SessionService } from './session.service.js';
export { SessionStore, type SessionStoreStats } from './session-store.js';
export {
  type Goal,
  goalStatuses,
  type GoalStatus,
  type SessionChanges,
  type SessionState,
  MAX_GOALS,
  MAX_STATE_BYTES,
} from './session.types.js';
export { SHARED_SESSION_POLICY, type SharedSessionPolicy } from './shared-session.policy.js';
