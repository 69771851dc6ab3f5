import { LRUCache } from 'lru-cache';
import { withTimeout } from '../../common/index.js';
import type { Logger } from '../../logging/index.js';
import type { ActiveSession } from './admin-sessions.js';
import type { EndedSessionRepository } from './ended-session.repository.js';

/** How long a request waits for the database. */
const WAIT_MS = 1000;
/** Bounds the memory; sessions last hours, and operators are few. */
const MAX_SESSIONS = 10_000;

/**
 * Remembers which sessions of the admin pages were ended by signing out. Every process asks the database, so a
 * cookie is dead everywhere once its operator has signed out.
 */
export class EndedSessions {
  private readonly ended = new LRUCache<string, true>({ max: MAX_SESSIONS });
  /** Sessions that this process has found not to be ended. */
  private readonly accepted = new LRUCache<string, true>({ max: MAX_SESSIONS });

  constructor(
    private readonly repository: Pick<EndedSessionRepository, 'add' | 'has'>,
    private readonly logger: Logger,
  ) {}

  /**
   * Whether the session was ended. While the database does not respond, a session that this process has
   * accepted before is still accepted, because the admin pages are needed most during an outage; others are
   * not.
   */
  async has({ id }: ActiveSession): Promise<boolean> {
    if (this.ended.has(id)) return true;
    try {
      const isEnded = await withTimeout(this.repository.has(id), WAIT_MS, () => undefined);
      if (isEnded !== undefined) {
        this[isEnded ? 'ended' : 'accepted'].set(id, true);
        return isEnded;
      }
      this.logger.warn('the database did not say in time whether a session of the admin pages was ended');
    } catch (error) {
      this.logger.warn({ err: error }, 'could not read whether a session of the admin pages was ended');
    }
    // It may have been ended here in the meantime.
    return this.ended.has(id) || !this.accepted.has(id);
  }

  /** Ends the session, in this process even if the database fails. @throws the error of the database */
  async end({ id, endsAt }: ActiveSession): Promise<void> {
    this.ended.set(id, true);
    await this.repository.add(id, new Date(endsAt));
  }
}
