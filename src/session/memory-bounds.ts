import type { SessionSettings } from '../config/index.js';

export interface MemoryBounds {
  sessions: number;
  /** Estimated heap. */
  bytes: number;
}

const MIB = 2 ** 20;

const profiles: Record<SessionSettings['SESSION_MEMORY_PROFILE'], MemoryBounds> = {
  default: { sessions: 1000, bytes: 64 * MIB },
  lean: { sessions: 250, bytes: 16 * MIB },
  minimal: { sessions: 50, bytes: 4 * MIB },
};

/**
 * The bounds of the profile, each replaced by its own setting where that is given. More sessions do not bring more bytes with them:
 * the bound on memory is what an operator counts on, and it changes only when it is named.
 */
export function memoryBounds(settings: SessionSettings): MemoryBounds {
  const profile = profiles[settings.SESSION_MEMORY_PROFILE];
  return {
    sessions: settings.MAX_ACTIVE_SESSIONS ?? profile.sessions,
    bytes: settings.SESSION_MEMORY_BYTES ?? profile.bytes,
  };
}
