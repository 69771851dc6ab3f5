import type { Logger } from '../../logging/index.js';
import { RateLimit } from '../../monitoring/index.js';
import type { PoolUse } from '../pool-monitor.js';

/** A warning is logged if more operations than this wait for a connection. */
export const WAITING_LIMIT = 10;
/** A warning is logged if this share of the pool is in use. */
export const IN_USE_SHARE = 0.8;

const EACH_MS = 60_000;

/** Warns, at most once a minute per reason, that the connection pool is too small or nearly exhausted. */
export class PoolWarnings {
  private readonly ofWaiting: RateLimit;
  private readonly ofUse: RateLimit;
  private isChecking = false;

  constructor(
    private readonly logger: Logger,
    now?: () => number,
  ) {
    this.ofWaiting = new RateLimit(1, EACH_MS, now);
    this.ofUse = new RateLimit(1, EACH_MS, now);
  }

  /**
   * Called when an operation starts to wait. As every operation waits until the driver's next turn, only
   * those that still wait after it are counted.
   */
  waits(pool: PoolUse): void {
    if (pool.waiting <= WAITING_LIMIT || this.isChecking) return;
    this.isChecking = true;
    setImmediate(() => {
      this.isChecking = false;
      if (pool.waiting > WAITING_LIMIT && this.ofWaiting.take() !== undefined)
        this.warn(pool, 'operations are waiting for a connection from the database pool');
    });
  }

  served(pool: PoolUse): void {
    if (pool.inUse >= pool.maxSize * IN_USE_SHARE && this.ofUse.take() !== undefined)
      this.warn(pool, 'the database pool is nearly exhausted');
  }

  private warn({ inUse, waiting, maxSize }: PoolUse, message: string): void {
    this.logger.warn({ inUse, waiting, maxSize }, message);
  }
}
