import { messageOf } from './errors.js';

export type BreakerState = 'closed' | 'open' | 'half-open';

export interface CircuitBreakerOptions {
  /** Number of consecutive failures after which the breaker opens. */
  failures: number;
  /** Interval between probes while the breaker is open, milliseconds. */
  probeIntervalMs: number;
  /** Resolves if the service can be used again. Called while half open; calls never overlap. */
  probe: () => Promise<void>;
  onChange?: (state: BreakerState, reason: string) => void;
}

/**
 * Stops calls to a failing service. Closed: calls are allowed. Open: callers must fail immediately, and a
 * timer probes the service. Half open: a probe is in progress, and callers must still fail, so that no caller
 * waits for a service that may not respond.
 */
export class CircuitBreaker {
  private current: BreakerState;
  private failed = 0;
  private timer: NodeJS.Timeout | undefined;
  private probing: Promise<void> | undefined;
  private stopped = false;
  private openings = 0;

  /** A breaker that is initially open starts probing only after a call to `probeNow` or `open`. */
  constructor(
    private readonly options: CircuitBreakerOptions,
    initial: 'closed' | 'open' = 'closed',
  ) {
    this.current = initial;
  }

  get state(): BreakerState {
    return this.current;
  }

  get isClosed(): boolean {
    return this.current === 'closed';
  }

  /** How often the breaker has opened. */
  get timesOpened(): number {
    return this.openings;
  }

  succeeded(): void {
    if (this.isClosed) this.failed = 0;
  }

  /** Counts a failure, and opens the breaker when the limit is reached. */
  failure(reason: string): void {
    if (!this.isClosed) return;
    this.failed++;
    if (this.failed >= this.options.failures) this.open(reason);
  }

  /** Opens the breaker regardless of the number of failures. */
  open(reason: string): void {
    if (this.stopped) return;
    if (this.current !== 'open') {
      if (this.isClosed) this.openings++;
      this.change('open', reason);
    }
    this.schedule();
  }

  /** Probes now instead of waiting for the timer, if the breaker is open. Never rejects. */
  probeNow(): Promise<void> {
    if (this.stopped || this.isClosed) return Promise.resolve();
    this.probing ??= this.probe().finally(() => (this.probing = undefined));
    return this.probing;
  }

  /** Stops probing, and waits for a probe in progress. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.probing;
  }

  private async probe(): Promise<void> {
    clearTimeout(this.timer);
    this.change('half-open', 'probing');
    try {
      await this.options.probe();
    } catch (error) {
      if (this.stopped) return;
      this.change('open', messageOf(error));
      this.schedule();
      return;
    }
    // `open` may have been called during the probe; then the breaker stays open.
    if (this.current !== 'half-open') return;
    this.failed = 0;
    this.change('closed', 'the probe succeeded');
  }

  private schedule(): void {
    clearTimeout(this.timer);
    if (this.stopped) return;
    this.timer = setTimeout(() => void this.probeNow(), this.options.probeIntervalMs);
    this.timer.unref();
  }

  private change(state: BreakerState, reason: string): void {
    this.current = state;
    this.options.onChange?.(state, reason);
  }
}
