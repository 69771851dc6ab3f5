import { yieldToEventLoop } from './record-source.js';
import { isStale, RETRY_RECORD_LIFETIME_MS, staleRecords } from './retry-records.js';
import { sweepExpired } from './ttl.js';
import type { View } from './view.js';
import type { EngineCore } from './write-runner.js';

const STALE_CHUNK = 1_000;

/** Periodic cleanup of expired documents, transactions past their lifetime, and expired retry records. */
export class Sweeper {
  /** Totals since the store was opened. */
  readonly ttl = { documents: 0, passes: 0 };
  private sweeping: Promise<void> | undefined;
  private stopped = false;

  constructor(
    private readonly core: EngineCore,
    private readonly view: View,
    private readonly onError: (error: unknown) => void,
  ) {}

  /** Runs one round, or waits for the current one. Errors are passed to `onError`. */
  async sweep(): Promise<void> {
    this.sweeping ??= this.sweepOnce().finally(() => (this.sweeping = undefined));
    await this.sweeping;
  }

  /** Stops the current round at its next step. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.sweeping;
  }

  private async sweepOnce(): Promise<void> {
    try {
      this.core.transactions.expireOld();
      this.ttl.documents += await sweepExpired(this.core);
      this.ttl.passes++;
      await this.pruneRetryRecords();
    } catch (error) {
      if (!this.stopped) this.onError(error);
    }
  }

  private async pruneRetryRecords(): Promise<void> {
    const before = this.core.now() - RETRY_RECORD_LIFETIME_MS;
    let after: Uint8Array | undefined;
    do {
      const { keys, next } = staleRecords(this.view, before, after, STALE_CHUNK);
      if (keys.length > 0) {
        await this.core.queue.run((batch) => {
          for (const key of keys) if (isStale(this.view.get(key), before)) batch.remove(key);
        });
      } else await yieldToEventLoop();
      after = next;
    } while (after && !this.stopped);
  }
}
