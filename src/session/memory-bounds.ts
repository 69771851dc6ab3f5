import type { SessionSettings } from '../config/index.js';

export interface MemoryBounds {
  sessions: number;
  /** Estimated heap size. */
  bytes: number;
}

const MIB = 2 ** 20;

const profiles: Record<SessionSettings['SESSION_MEMORY_PROFILE'], MemoryBounds> = {
  default: { sessions: 1000, bytes: 64 * MIB },
  lean: { sessions: 250, bytes: 16 * MIB },
  minimal: { sessions: 50, bytes: 4 * MIB },
};

/**
 * Returns the bounds of the profile, each overridden by its own setting if present. Raising the number of
 * sessions does not raise the byte limit: operators rely on it, so it changes only if set explicitly.
 */
export function memoryBounds(settings: SessionSettings): MemoryBounds {
  const profile = profiles[settings.SESSION_MEMORY_PROFILE];
  return {
    sessions: settings.MAX_ACTIVE_SESSIONS ?? profile.sessions,
    bytes: settings.SESSION_MEMORY_BYTES ?? profile.bytes,
  };
}
