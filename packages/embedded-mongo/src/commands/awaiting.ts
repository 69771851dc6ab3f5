import type { ErrorCodeName } from '../values/errors.js';
import { interrupted } from '../values/errors.js';
import type { AwaitableSource, Batch, BatchSource, KillSignal } from './host.js';

/**
 * Interrupts the work under `signal`: immediately while it waits, otherwise when it next checks the signal.
 */
export function kill(signal: KillSignal, reason: ErrorCodeName = 'Interrupted'): void {
  if (!signal.killed) signal.reason = reason;
  signal.killed = true;
  signal.wake?.();
}

/** Throws the reason if the work under `signal` was interrupted. */
export function throwIfKilled(signal: KillSignal): void {
  if (signal.killed) throw interrupted(signal.reason);
}

export const isAwaitable = (source: BatchSource): source is AwaitableSource => 'onMore' in source;

/**
 * Returns the next batch of a cursor that may receive documents later. If there are none, waits up to
 * `waitMs` milliseconds and then returns an empty batch. Throws if killed while waiting.
 */
export async function nextAwaited(
  source: AwaitableSource,
  signal: KillSignal,
  limits: { maxDocs: number; maxBytes: number; waitMs: number },
): Promise<Batch> {
  const endsAt = performance.now() + limits.waitMs;
  for (;;) {
    // Subscribe before reading, so that no notification between the two is missed.
    const wakeUp = new WakeUp(source, signal);
    try {
      const batch = await source.next(limits.maxDocs, limits.maxBytes);
      throwIfKilled(signal);
      if (batch.docs.length > 0 || batch.done) return batch;
      if (!(await wakeUp.wait(endsAt - performance.now()))) return batch;
      throwIfKilled(signal);
    } catch (error) {
      // A source that notices the interruption first does not know the reason.
      throwIfKilled(signal);
      throw error;
    } finally {
      wakeUp.dispose();
    }
  }
}

/** A wait that ends when the source may have more documents or the work is killed. */
class WakeUp {
  private notified = false;
  private resume: (() => void) | undefined;
  private readonly unsubscribe: () => void;

  constructor(
    source: AwaitableSource,
    private readonly signal: KillSignal,
  ) {
    this.unsubscribe = source.onMore(() => this.notify());
    signal.wake = () => this.notify();
  }

  /** Resolves to false if `ms` milliseconds pass without a notification. */
  async wait(ms: number): Promise<boolean> {
    if (this.notified) return true;
    if (ms <= 0) return false;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.resume = resolve;
      timer = setTimeout(resolve, ms);
    });
    clearTimeout(timer);
    return this.notified;
  }

  dispose(): void {
    this.unsubscribe();
    this.signal.wake = undefined;
  }

  private notify(): void {
    this.notified = true;
    this.resume?.();
  }
}
