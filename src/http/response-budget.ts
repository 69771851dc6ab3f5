import { AsyncResource } from 'node:async_hooks';
import type { ServerResponse } from 'node:http';
import { LRUCache } from 'lru-cache';
import { ProblemError } from './problem.js';
import { isClosed, whenClosed } from './response-closed.js';

/** Responses up to this size, in bytes, are neither delayed nor counted. */
const SMALL = 64 * 1024;
/** Expected size of a response of a kind that the tenant has not requested before, bytes. */
const UNKNOWN = 1024 * 1024;
/** Number of pairs of tenant and kind whose expected sizes are kept. */
const MAX_EXPECTED = 10_000;

export interface ResponseBudgetOptions {
  /** Maximum size of the responses of one tenant that are being prepared or sent at the same time, bytes. */
  maxBytes: number;
  /** Maximum rate of large responses of one tenant, bytes per second. */
  bytesPerSecond: number;
  /** Maximum time that a request waits for earlier responses, ms. */
  maxWaitMs: number;
}

/** The large responses of one tenant. */
interface Share {
  bytes: number;
  reserved: Map<ServerResponse, number>;
  /** Requests that wait, in order. */
  waiting: Set<{ key: string; admit: (bytes: number) => void }>;
}

const tooManyLargeResponses = (): ProblemError =>
  new ProblemError({
    status: 503,
    code: 'too_many_large_responses',
    title: 'Too many large responses are in progress',
    detail:
      'Earlier large responses to this tenant are still being sent. Read them to the end, or request smaller pages with "limit".',
    retryAfterSeconds: 1,
  });

/**
 * Limits the memory and the processing time that the large responses of one tenant take, from before the data
 * is read until the client has received it. Because the size is known only after that, a request reserves the
 * size that the tenant's last responses of the same kind had.
 */
export class ResponseBudget {
  private readonly shares = new Map<string, Share>();
  private readonly expected = new LRUCache<string, number>({ max: MAX_EXPECTED });

  constructor(private readonly options: ResponseBudgetOptions) {}

  /**
   * Calls `done` once the request may be processed, or with a ProblemError 503 `too_many_large_responses` after
   * `maxWaitMs`. It is not called if the client disconnects before that.
   */
  admit(tenantId: string, kind: string, response: ServerResponse, done: (error?: Error) => void): void {
    const key = `${kind} ${tenantId}`;
    const bytes = this.expectedBytes(key);
    if (bytes <= SMALL) {
      done();
      return;
    }
    const share = this.shareOf(tenantId);
    if (share.waiting.size === 0 && this.fits(share, bytes)) {
      this.reserve(tenantId, share, bytes, response);
      done();
      return;
    }
    const resume = AsyncResource.bind(done);
    const stopWaiting = (): void => {
      clearTimeout(timer);
      keepWaiting();
      share.waiting.delete(waiting);
    };
    const waiting = {
      key,
      admit: (bytes: number): void => {
        stopWaiting();
        this.reserve(tenantId, share, bytes, response);
        resume();
      },
    };
    const abandon = (): void => {
      stopWaiting();
      this.admitWaiting(tenantId, share);
    };
    const timer = setTimeout(() => {
      abandon();
      resume(tooManyLargeResponses());
    }, this.options.maxWaitMs);
    share.waiting.add(waiting);
    const keepWaiting = whenClosed(response, abandon);
  }

  /** Must be called with the size of each response, in bytes, before it is sent. */
  sized(tenantId: string, kind: string, response: ServerResponse, bytes: number): void {
    const key = `${kind} ${tenantId}`;
    const before = this.expected.get(key);
    // A large response raises the expectation at once, smaller ones lower it gradually.
    const next = before === undefined ? bytes : Math.max(bytes, Math.floor(before * 0.95));
    if (next !== before) this.expected.set(key, next);
    const share = bytes > SMALL ? this.shareOf(tenantId) : this.shares.get(tenantId);
    if (share && (bytes > SMALL || share.reserved.has(response)))
      this.reserve(tenantId, share, bytes, response);
  }

  private expectedBytes(key: string): number {
    return this.expected.get(key) ?? UNKNOWN;
  }

  private shareOf(tenantId: string): Share {
    let share = this.shares.get(tenantId);
    if (!share) {
      share = { bytes: 0, reserved: new Map(), waiting: new Set() };
      this.shares.set(tenantId, share);
    }
    return share;
  }

  /** A response that alone exceeds the budget is sent when no other one is in progress. */
  private fits({ bytes: used }: Share, bytes: number): boolean {
    return used === 0 || used + bytes <= this.options.maxBytes;
  }

  /** Reserves the bytes until the response is sent, in place of those that it has reserved before. */
  private reserve(tenantId: string, share: Share, bytes: number, response: ServerResponse): void {
    if (isClosed(response)) {
      this.admitWaiting(tenantId, share);
      return;
    }
    const before = share.reserved.get(response);
    share.reserved.set(response, bytes);
    share.bytes += bytes - (before ?? 0);
    if (before === undefined) {
      const startedAt = performance.now();
      whenClosed(response, () => {
        const size = share.reserved.get(response) ?? 0;
        const release = (): void => {
          share.bytes -= size;
          share.reserved.delete(response);
          this.admitWaiting(tenantId, share);
        };
        const remainingMs = (size / this.options.bytesPerSecond) * 1000 - (performance.now() - startedAt);
        if (size > SMALL && remainingMs >= 1) setTimeout(release, remainingMs).unref();
        else release();
      });
    } else if (bytes < before) this.admitWaiting(tenantId, share);
  }

  private admitWaiting(tenantId: string, share: Share): void {
    for (const waiting of share.waiting) {
      const bytes = this.expectedBytes(waiting.key);
      if (!this.fits(share, bytes)) break;
      waiting.admit(bytes);
    }
    if (share.reserved.size === 0 && share.waiting.size === 0) this.shares.delete(tenantId);
  }
}
