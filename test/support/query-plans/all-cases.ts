import {
  archiveCases,
  archiveRunCases,
  conversationArchiveCases,
  scheduleCases,
  transcriptArchiveCases,
} from './archive-cases.js';
import { erasedIdCases, erasureKeyCases, participantErasureCases } from './participant-cases.js';
import { endedSessionCases } from './admin-cases.js';
import {
  closingCases,
  conversationCases,
  messageCases,
  responderSettingsCases,
} from './conversation-cases.js';
import { processCases } from './database-cases.js';
import { jobCases, rateLimitCases } from './queue-cases.js';
import { apiKeyCases, sessionCases, tenantCases, tenantDataCases } from './tenant-cases.js';
import { transcriptCases } from './transcript-cases.js';
import { conversationWriterCases, sessionStoreCases } from './unit-cases.js';

/** The cases of each repository by class name, in execution order. */
export const allCases = {
  TenantRepository: tenantCases,
  ApiKeyRepository: apiKeyCases,
  SessionRepository: sessionCases,
  ConversationRepository: conversationCases,
  ClosingRepository: closingCases,
  MessageRepository: messageCases,
  ResponderSettingsRepository: responderSettingsCases,
  TranscriptRepository: transcriptCases,
  JobRepository: jobCases,
  RateLimitRepository: rateLimitCases,
  ProcessRepository: processCases,
  EndedSessionRepository: endedSessionCases,
  ConversationArchiveRepository: conversationArchiveCases,
  TranscriptArchiveRepository: transcriptArchiveCases,
  ArchiveRepository: archiveCases,
  ArchiveRunRepository: archiveRunCases,
  ScheduleRepository: scheduleCases,
  ErasureKeyRepository: erasureKeyCases,
  ErasedIdRepository: erasedIdCases,
  ParticipantErasureRepository: participantErasureCases,
  TenantDataRepository: tenantDataCases,
} as const;

/**
 * The cases of the classes that write through units of work. They run first, because the other cases read
 * what they stored.
 */
export const unitCases = {
  ConversationWriter: conversationWriterCases,
  SessionStore: sessionStoreCases,
} as const;
