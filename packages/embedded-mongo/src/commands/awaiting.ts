import type { ErrorCodeName } from '../values/errors.js';
import { interrupted } from '../values/errors.js';
import type { AwaitableSource, Batch, BatchSource, KillSignal } from './host.js';

/** Stops the work under `signal`: at once when it waits, else when it looks at the signal next. */
export function kill(signal: KillSignal, reason: ErrorCodeName = 'Interrupted'): void {
  if (!signal.killed) signal.reason = reason;
  signal.killed = true;
  signal.wake?.();
}

/** Throws why the work under `signal` was stopped, if it was. */
export function throwIfKilled(signal: KillSignal): void {
  if (signal.killed) throw interrupted(signal.reason);
}

export const isAwaitable = (source: BatchSource): source is AwaitableSource => 'onMore' in source;

/**
 * The next batch of a cursor that may get more documents later. When there is none it waits for one, `waitMs`
 * milliseconds at most; then the batch is empty. Throws when it is killed meanwhile.
 */
export async function nextAwaited(
  source: AwaitableSource,
  signal: KillSignal,
  limits: { maxDocs: number; maxBytes: number; waitMs: number },
): Promise<Batch> {
  const endsAt = performance.now() + limits.waitMs;
  for (;;) {
    // It listens before it looks, so that nothing comes between the two unheard.
    const bell = new Bell(source, signal);
    try {
      const batch = await source.next(limits.maxDocs, limits.maxBytes);
      throwIfKilled(signal);
      if (batch.docs.length > 0 || batch.done) return batch;
      if (!(await bell.wait(endsAt - performance.now()))) return batch;
      throwIfKilled(signal);
    } catch (error) {
      // A source that notices the interruption first does not know its reason.
      throwIfKilled(signal);
      throw error;
    } finally {
      bell.dispose();
    }
  }
}

/** Rings when the source may have more or the work is killed. */
class Bell {
  private rung = false;
  private answer: (() => void) | undefined;
  private readonly unsubscribe: () => void;

  constructor(
    source: AwaitableSource,
    private readonly signal: KillSignal,
  ) {
    this.unsubscribe = source.onMore(() => this.ring());
    signal.wake = () => this.ring();
  }

  /** False when `ms` milliseconds have passed in silence. */
  async wait(ms: number): Promise<boolean> {
    if (this.rung) return true;
    if (ms <= 0) return false;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.answer = resolve;
      timer = setTimeout(resolve, ms);
    });
    clearTimeout(timer);
    return this.rung;
  }

  dispose(): void {
    this.unsubscribe();
    this.signal.wake = undefined;
  }

  private ring(): void {
    this.rung = true;
    this.answer?.();
  }
}
