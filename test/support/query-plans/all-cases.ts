import { conversationCases, messageCases, responderSettingsCases } from './conversation-cases.js';
import { processCases } from './database-cases.js';
import { jobCases, rateLimitCases } from './queue-cases.js';
import { apiKeyCases, sessionCases, tenantCases } from './tenant-cases.js';
import { transcriptCases } from './transcript-cases.js';
import { conversationWriterCases, sessionStoreCases } from './unit-cases.js';

/** The cases of each repository, by the name of its class, in the order in which they are run. */
export const allCases = {
  TenantRepository: tenantCases,
  ApiKeyRepository: apiKeyCases,
  SessionRepository: sessionCases,
  ConversationRepository: conversationCases,
  MessageRepository: messageCases,
  ResponderSettingsRepository: responderSettingsCases,
  TranscriptRepository: transcriptCases,
  JobRepository: jobCases,
  RateLimitRepository: rateLimitCases,
  ProcessRepository: processCases,
} as const;

/** Those of the classes that write by units of work; run before the others, which find what they stored. */
export const unitCases = {
  ConversationWriter: conversationWriterCases,
  SessionStore: sessionStoreCases,
} as const;
