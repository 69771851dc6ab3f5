import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { backoffDelay } from '../common/index.js';
import type { Logger } from '../logging/index.js';
import { type Invalidation, PendingInvalidations } from './pending-invalidations.js';
import type { RedisKeys } from './redis-key.js';
import type { RedisService } from './redis.service.js';

export interface InvalidationBusOptions<Change extends Invalidation> {
  /** Names the keys and the channel in Redis. */
  module: string;
  /** Invalidates in Redis and publishes a message, in one script. May run more than once for one change. */
  apply: (client: Redis, change: Change) => Promise<void>;
  /** Makes the invalidation of a whole tenant, where `apply` supports it; see `PendingInvalidations`. */
  whole?: (tenantId: string) => Change;
}

export interface BusListener {
  /**
   * Is called with the parsed JSON of what another process published; anyone may publish, so it must be
   * validated.
   */
  onMessage: (message: unknown) => void;
  /** Is called when messages may have been lost: copies in the memory of this process may be outdated. */
  onGap: () => void;
}

const MAX_PENDING = 10_000;

const REPLAY_BATCH = 100;
const replayBackoff = { baseMs: 100, maxMs: 2000, jitter: 0.2 };

/**
 * Keeps the copies that processes have of one module's data in step through Redis: in Redis itself and in the
 * memory of each process.
 *
 * - What a process publishes is delivered to the others, or `onGap` is called there once the connection is
 *   back.
 * - An invalidation that does not reach Redis is kept and repeated: before Redis is trusted again after an
 *   outage, else after a short delay. Until then `isPending` is true, and the caller must not use what Redis
 *   holds for that entry.
 * - Another process may still have invalidations to repeat, or may have died with them. So what was stored in
 *   Redis before `trustedSince` must not be used where an outdated copy does harm.
 * - The number of kept invalidations is bounded by MAX_PENDING.
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
          'an invalidation was dropped before it reached Redis; the entry there ends with its time to live',
        );
      },
    });
    redis.beforeTrust((client) => this.restoreTrust(client));
  }

  /** Invalidations that have not reached Redis yet. */
  get pendingCount(): number {
    return this.pending.size;
  }

  /**
   * Time by the clock of Redis, in milliseconds, when it was found back after an outage; 0 before the first
   * outage.
   */
  get trustedSince(): number {
    return this.distrustBefore;
  }

  /** True while an invalidation of the entry, or of its whole tenant, has not reached Redis. */
  isPending(tenantId: string, id?: string): boolean {
    return this.pending.has(tenantId, id);
  }

  /** Call it before the module is initialised, so that no message is missed. */
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

  /** The text of a message, for `apply` and for scripts that publish. */
  message(content: object): string {
    return JSON.stringify({ from: this.processId, ...content });
  }

  /** @throws RedisUnavailableError */
  async publish(content: object): Promise<void> {
    await this.redis.call((client) => client.publish(this.keys.channel, this.message(content)));
  }

  /**
   * Applies the change, or keeps it for later when Redis is not available: false then. Without Redis there is
   * nothing to do.
   */
  async invalidate(change: Change): Promise<boolean> {
    if (!this.redis.enabled) return true;
    // Kept before the call: this process must not read the entry from Redis while the call is under way.
    this.pending.add(change);
    return this.attempt((client) => this.apply(client, change));
  }

  /** Stops repeating; pending invalidations are lost. */
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
          'an invalidation did not reach Redis; it is repeated before Redis is trusted again',
        );
      return false;
    } finally {
      this.replayLater();
    }
  }

  /** @throws what `apply` throws; the changes that were applied before are done */
  private async replay(client: Redis): Promise<void> {
    while (this.pending.size > 0)
      await Promise.all(this.pending.first(REPLAY_BATCH).map((change) => this.apply(client, change)));
  }

  /**
   * Redis may fail a single call while it counts as up, or refuse one while its recovery is under way and
   * `restoreTrust` has already run. No recovery follows then, so this repeats what is pending.
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
