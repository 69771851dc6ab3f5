import { conversationCases, messageCases, responderSettingsCases } from './conversation-cases.js';
import { processCases } from './database-cases.js';
import { jobCases, rateLimitCases } from './queue-cases.js';
import { apiKeyCases, sessionCases, tenantCases } from './tenant-cases.js';
import { transcriptCases } from './transcript-cases.js';

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
