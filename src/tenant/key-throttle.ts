import { LRUCache } from 'lru-cache';
import { addressGroup } from '../common/index.js';
import type { Logger } from '../logging/index.js';
import type { MonotonicClock } from './tenant.tokens.js';

const WINDOW_MS = 60_000;
/** Bounds the memory; the least recently used address is removed first. */
const MAX_ADDRESSES = 10_000;

interface Window {
  count: number;
  /** When it began, milliseconds. */
  since: number;
}

/**
 * Limits how many keys can be guessed from one address, wherever a key is accepted: by the API, by the admin
 * pages and on public routes. After `perMinute` wrong keys within a minute, the address is throttled for the
 * rest of that minute.
 *
 * Nobody else is locked out, even if many clients share an address. A tenant's key that is valid is always
 * accepted and must not be reported here: it cannot be guessed. The admin key may have been chosen by a
 * person, so a throttled address has to wait even if its key is the right one: otherwise guessing could go on.
 * It is still accepted from an address from which it was accepted before, and from a signed-in operator.
 *
 * Counts only requests to this process. Memory is bounded.
 */
export class KeyThrottle {
  /** Since the start of the process: wrong keys that were refused as such, and attempts that had to wait. */
  readonly counts = { wrong: 0, throttled: 0 };
  private readonly windows = new LRUCache<string, Window>({ max: MAX_ADDRESSES });
  /** Addresses from which the admin key was accepted. Wrong keys cannot evict them. */
  private readonly trusted = new LRUCache<string, true>({ max: MAX_ADDRESSES });

  /** @param perMinute 0 means no limit */
  constructor(
    private readonly perMinute: number,
    private readonly clock: MonotonicClock,
    private readonly logger: Logger,
  ) {}

  /**
   * Must be called for each wrong key. Returns 0 if the address is not throttled, otherwise the number of
   * seconds that it has to wait.
   */
  wrongKey(address: string): number {
    const group = addressGroup(address);
    const waitSeconds = this.waitSeconds(group);
    if (waitSeconds > 0) {
      this.counts.throttled++;
      return waitSeconds;
    }
    this.counts.wrong++;
    const window = this.current(group) ?? { count: 0, since: this.clock.now() };
    window.count++;
    this.windows.set(group, window);
    if (window.count === this.perMinute)
      this.logger.warn(
        { address, wrongKeys: window.count },
        'too many wrong keys from one address; unknown keys from it have to wait until the minute is over',
      );
    return 0;
  }

  /**
   * Must be called for each right admin key. Returns 0 if it is accepted, otherwise the number of seconds to
   * wait.
   * @param isSignedIn whether the request also has a valid session of the admin pages
   */
  adminKey(address: string, isSignedIn = false): number {
    const group = addressGroup(address);
    const waitSeconds = isSignedIn || this.trusted.has(group) ? 0 : this.waitSeconds(group);
    if (waitSeconds > 0) this.counts.throttled++;
    else this.trusted.set(group, true);
    return waitSeconds;
  }

  private waitSeconds(group: string): number {
    if (this.perMinute === 0) return 0;
    const window = this.current(group);
    if (!window || window.count < this.perMinute) return 0;
    return Math.max(1, Math.ceil((window.since + WINDOW_MS - this.clock.now()) / 1000));
  }

  private current(group: string): Window | undefined {
    const window = this.windows.get(group);
    return window && this.clock.now() - window.since < WINDOW_MS ? window : undefined;
  }
}
