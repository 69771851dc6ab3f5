import { LRUCache } from 'lru-cache';

/** Number of failed sign-ins from one address within a minute after which it has to wait. */
export const MAX_FAILURES = 10;

const WINDOW_MS = 60_000;
const MAX_ADDRESSES = 10_000;

interface Failures {
  count: number;
  since: number;
}

/** Limits attempts to guess the admin key. Counts only within this process; memory use is bounded. */
export class LoginLimiter {
  private readonly failures = new LRUCache<string, Failures>({ max: MAX_ADDRESSES });

  constructor(private readonly now: () => number) {}

  /** Returns 0 when the address may try to sign in, otherwise the whole seconds until it may. */
  waitSeconds(address: string): number {
    const failures = this.current(address);
    if (!failures || failures.count < MAX_FAILURES) return 0;
    return Math.max(1, Math.ceil((failures.since + WINDOW_MS - this.now()) / 1000));
  }

  failed(address: string): void {
    const failures = this.current(address);
    if (failures) failures.count += 1;
    else this.failures.set(address, { count: 1, since: this.now() });
  }

  private current(address: string): Failures | undefined {
    const failures = this.failures.get(address);
    return failures && this.now() - failures.since < WINDOW_MS ? failures : undefined;
  }
}
