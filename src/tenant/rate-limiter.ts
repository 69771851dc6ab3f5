import { LRUCache } from 'lru-cache';
import type { MonotonicClock } from './tenant.tokens.js';

interface Bucket {
  tokens: number;
  /** When `tokens` was right. */
  at: number;
}

const MAX_BUCKETS = 10_000;
const MINUTE_MS = 60_000;

/**
 * A token bucket for each tenant: a full minute's requests may come at once, then they come back at an even rate. Memory is
 * fixed: beyond 10,000 tenants at the same time, the bucket that was idle longest is forgotten, which makes it full.
 * The count is of this process alone.
 */
export class RateLimiter {
  private readonly buckets = new LRUCache<string, Bucket>({ max: MAX_BUCKETS });

  /** `perMinute` 0 lets everything pass. */
  constructor(
    readonly perMinute: number,
    private readonly clock: MonotonicClock,
  ) {}

  /** Takes one request of `key`; answers 0 when it may pass, else the whole seconds until one may. */
  take(key: string): number {
    if (this.perMinute === 0) return 0;
    const bucket = this.refilled(key);
    if (bucket.tokens >= 1) {
      bucket.tokens -= 1;
      return 0;
    }
    const waitMs = ((1 - bucket.tokens) * MINUTE_MS) / this.perMinute;
    return Math.max(1, Math.ceil(waitMs / 1000));
  }

  private refilled(key: string): Bucket {
    const now = this.clock.now();
    const bucket = this.buckets.get(key);
    if (!bucket) {
      const full = { tokens: this.perMinute, at: now };
      this.buckets.set(key, full);
      return full;
    }
    const gained = ((now - bucket.at) * this.perMinute) / MINUTE_MS;
    bucket.tokens = Math.min(this.perMinute, bucket.tokens + gained);
    bucket.at = now;
    return bucket;
  }
}
