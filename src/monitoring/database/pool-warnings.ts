import type { PoolUse } from '../../database/index.js';
import type { Logger } from '../../logging/index.js';
import { RateLimit } from '../timings/rate-limit.js';

/** More operations than this waiting for a connection are told of. */
export const WAITING_LIMIT = 10;
/** So is a pool of which this share is in use. */
export const IN_USE_SHARE = 0.8;

const EACH_MS = 60_000;

/** Warns, at most once a minute each, of a connection pool that is or will soon be too small. */
export class PoolWarnings {
  private readonly ofWaiting: RateLimit;
  private readonly ofUse: RateLimit;
  private isLooking = false;

  constructor(
    private readonly logger: Logger,
    now?: () => number,
  ) {
    this.ofWaiting = new RateLimit(1, EACH_MS, now);
    this.ofUse = new RateLimit(1, EACH_MS, now);
  }

  /** Whatever comes at once waits until the driver comes round to it: what waits after that does so for a connection. */
  waits(pool: PoolUse): void {
    if (pool.waiting <= WAITING_LIMIT || this.isLooking) return;
    this.isLooking = true;
    setImmediate(() => {
      this.isLooking = false;
      if (pool.waiting > WAITING_LIMIT && this.ofWaiting.take() !== undefined)
        this.warn(pool, 'operations wait for a connection of the database pool');
    });
  }

  served(pool: PoolUse): void {
    if (pool.inUse >= pool.maxSize * IN_USE_SHARE && this.ofUse.take() !== undefined)
      this.warn(pool, 'the database pool is nearly used up');
  }

  private warn({ inUse, waiting, maxSize }: PoolUse, message: string): void {
    this.logger.warn({ inUse, waiting, maxSize }, message);
  }
}
