import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { backoffDelay } from '../common/index.js';
import type { Logger } from '../logging/index.js';
import { type Invalidation, PendingInvalidations } from './pending-invalidations.js';
import type { RedisKeys } from './redis-key.js';
import type { RedisService } from './redis.service.js';

export interface InvalidationBusOptions<Change extends Invalidation> {
  /** Name of the module, used in its keys and channel. */
  module: string;
  /**
   * Invalidates in Redis and publishes a message, in one script. May run more than once for the same change.
   */
  apply: (client: Redis, change: Change) => Promise<void>;
  /**
   * Creates the change that invalidates a whole tenant, if `apply` supports it; see `PendingInvalidations`.
   */
  whole?: (tenantId: string) => Change;
}

export interface BusListener {
  /**
   * Called with the parsed JSON that another process published. Validate it: anyone with access to Redis can
   * publish.
   */
  onMessage: (message: unknown) => void;
  /** Called when messages may have been lost. Copies in the memory of this process may be outdated. */
  onGap: () => void;
}

const MAX_PENDING = 10_000;

const REPLAY_BATCH = 100;
const replayBackoff = { baseMs: 100, maxMs: 2000, jitter: 0.2 };

/**
 * Keeps one module's copies of data consistent across processes: the copies in Redis and in the memory of
 * each process.
 *
 * - A published message is delivered to the other processes; if the connection was lost, `onGap` is called
 *   once it is restored.
 * - An invalidation that does not reach Redis is kept and retried: after an outage, before Redis is used
 *   again; otherwise after a short delay. Until then `isPending` is true, and the caller must not use the
 *   entry in Redis.
 * - Another process may have invalidations that it has not retried yet, or may have exited without sending
 *   them. Therefore, what was stored in Redis before `trustedSince` must not be used where an outdated copy
 *   does harm.
 * - At most MAX_PENDING invalidations are kept.
 */
export class InvalidationBus<Change extends Invalidation> {
  readonly keys: RedisKeys;
  private readonly processId = randomUUID();
  private readonly pending: PendingInvalidations<Change>;
  private distrustBefore = 0;
  private wasTrusted = false;
  private failures = 0;
  private replayTimer: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(
    private readonly redis: RedisService,
    private readonly logger: Logger,
    private readonly options: InvalidationBusOptions<Change>,
  ) {
    const { module, whole } = options;
    this.keys = redis.keys(module);
    this.pending = new PendingInvalidations({
      max: MAX_PENDING,
      whole,
      onDropped: ({ tenantId }) => {
        logger.warn(
          { module, tenantId, max: MAX_PENDING },
          'an invalidation was dropped before it reached Redis; the entry there remains until it expires',
        );
      },
    });
    redis.beforeTrust((client) => this.restoreTrust(client));
  }

  /** Number of invalidations that have not reached Redis yet. */
  get pendingCount(): number {
    return this.pending.size;
  }

  /**
   * When Redis became available again after the last outage: milliseconds, by its own clock. 0 before the
   * first outage.
   */
  get trustedSince(): number {
    return this.distrustBefore;
  }

  /** Whether an invalidation of the entry, or of its whole tenant, has not reached Redis yet. */
  isPending(tenantId: string, id?: string): boolean {
    return this.pending.has(tenantId, id);
  }

  /** Must be called before the module is initialized, so that no message is missed. */
  listen({ onMessage, onGap }: BusListener): void {
    if (!this.redis.enabled) return;
    this.redis.listen(
      this.keys.channel,
      (text) => {
        const message = parsed(text);
        if (message !== undefined && message.from !== this.processId) onMessage(message);
      },
      onGap,
    );
  }

  /** Serializes a message, for `apply` and for scripts that publish. */
  message(content: object): string {
    return JSON.stringify({ from: this.processId, ...content });
  }

  /** @throws RedisUnavailableError */
  async publish(content: object): Promise<void> {
    await this.redis.call((client) => client.publish(this.keys.channel, this.message(content)));
  }

  /**
   * Applies the change. If that fails, keeps the change for a retry and returns false. If Redis is not
   * configured, returns true without doing anything.
   */
  async invalidate(change: Change): Promise<boolean> {
    if (!this.redis.enabled) return true;
    // Added before the call: this process must not read the entry from Redis while the call is in progress.
    this.pending.add(change);
    return this.attempt((client) => this.apply(client, change));
  }

  /** Stops retrying. Pending invalidations are lost. */
  stop(): void {
    this.stopped = true;
    clearTimeout(this.replayTimer);
  }

  private async apply(client: Redis, change: Change): Promise<void> {
    await this.options.apply(client, change);
    this.pending.done(change);
  }

  private async attempt(work: (client: Redis) => Promise<void>): Promise<boolean> {
    try {
      await this.redis.call(work);
      this.failures = 0;
      return true;
    } catch (error) {
      this.failures++;
      if (this.failures === 1)
        this.logger.warn(
          { err: error, module: this.options.module },
          'an invalidation did not reach Redis; it will be retried before Redis is used again',
        );
      return false;
    } finally {
      this.replayLater();
    }
  }

  /** @throws the error of `apply`; changes that were applied before it are removed from the pending ones */
  private async replay(client: Redis): Promise<void> {
    while (this.pending.size > 0)
      await Promise.all(this.pending.first(REPLAY_BATCH).map((change) => this.apply(client, change)));
  }

  /**
   * Retries what is pending when no recovery will do so: a single call can fail while Redis is considered up,
   * or be refused during a recovery after `restoreTrust` has run.
   */
  private replayLater(): void {
    if (this.stopped || this.pending.size === 0) return;
    this.replayTimer ??= setTimeout(
      () => {
        this.replayTimer = undefined;
        if (this.redis.available) void this.attempt((client) => this.replay(client));
        else this.replayLater();
      },
      backoffDelay(Math.max(1, this.failures), replayBackoff),
    );
    this.replayTimer.unref();
  }

  private async restoreTrust(client: Redis): Promise<void> {
    await this.replay(client);
    if (this.wasTrusted) {
      const [seconds = 0, micros = 0] = await client.time();
      this.distrustBefore = Math.ceil(Number(seconds) * 1000 + Number(micros) / 1000);
    }
    this.wasTrusted = true;
  }
}

function parsed(text: string): { from?: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
