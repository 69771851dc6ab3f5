import { messageOf } from './errors.js';

export type BreakerState = 'closed' | 'open' | 'half-open';

export interface CircuitBreakerOptions {
  /** Failures one after the other that open the breaker. */
  failures: number;
  /** Time between two probes of an open breaker, milliseconds. */
  probeIntervalMs: number;
  /** Says whether the service is to be trusted again; called while half open, never twice at a time. */
  probe: () => Promise<void>;
  onChange?: (state: BreakerState, reason: string) => void;
}

/**
 * Keeps work away from a service that fails. Closed: work passes. Open: work is to be refused at once, and
 * the service is probed by timer. Half open: one probe is under way; callers are still refused, so that no
 * caller pays for finding out.
 */
export class CircuitBreaker {
  private current: BreakerState;
  private failed = 0;
  private timer: NodeJS.Timeout | undefined;
  private probing: Promise<void> | undefined;
  private stopped = false;
  private openings = 0;

  /** Begins as `initial`; an open one waits for `probeNow` or `open`. */
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

  /** Times that the breaker opened. */
  get timesOpened(): number {
    return this.openings;
  }

  succeeded(): void {
    if (this.isClosed) this.failed = 0;
  }

  /** Counts a failure; the one too many opens the breaker. */
  failure(reason: string): void {
    if (!this.isClosed) return;
    this.failed++;
    if (this.failed >= this.options.failures) this.open(reason);
  }

  /** Opens the breaker, however many failures there were. */
  open(reason: string): void {
    if (this.stopped) return;
    if (this.current !== 'open') {
      if (this.isClosed) this.openings++;
      this.change('open', reason);
    }
    this.schedule();
  }

  /** Probes an open breaker now instead of waiting for the timer. Never rejects. */
  probeNow(): Promise<void> {
    if (this.stopped || this.isClosed) return Promise.resolve();
    this.probing ??= this.probe().finally(() => (this.probing = undefined));
    return this.probing;
  }

  /** Ends the probes, and waits for one under way. */
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
    // What opened it again during the probe stays in force.
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
