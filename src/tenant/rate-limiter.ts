import { LRUCache } from 'lru-cache';
import type { MonotonicClock } from './tenant.tokens.js';

interface Bucket {
  tokens: number;
  /** The time at which `tokens` was computed, milliseconds. */
  at: number;
}

const MAX_BUCKETS = 10_000;
const MINUTE_MS = 60_000;

/**
 * A token bucket per tenant. A full minute's requests may arrive at once; after that, the bucket refills
 * continuously. Memory is limited: beyond 10,000 tenants, the least recently used bucket is removed, which
 * has the same effect as filling it. Counts only requests to this process.
 */
export class RateLimiter {
  private readonly buckets = new LRUCache<string, Bucket>({ max: MAX_BUCKETS });

  /** `perMinute` 0 means no limit. */
  constructor(
    readonly perMinute: number,
    private readonly clock: MonotonicClock,
  ) {}

  /**
   * Takes one token of `key`. Returns 0 if the request is allowed, otherwise the number of seconds to wait,
   * rounded up.
   */
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
