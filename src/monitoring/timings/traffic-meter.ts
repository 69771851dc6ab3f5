import { type Durations, recentSummary, type TimingSummary } from './durations.js';

const WINDOW_MS = 60_000;
const SLICE_MS = 10_000;

/** Figures of the last minute. */
export interface Traffic extends TimingSummary {
  ratePerSecond: number;
}

/**
 * Durations and failures of one kind of work over the last minute, for all series combined.
 * `PerformanceMonitor` covers five minutes, which is too long for alerts: an alert would last minutes longer
 * than its cause.
 */
export class TrafficMeter {
  private readonly series: Durations[] = [];
  private readonly startedAt: number;

  /** `now` must be the clock of the series that are added. */
  constructor(private readonly now: () => number = () => performance.now()) {
    this.startedAt = now();
  }

  add(durations: Durations): void {
    this.series.push(durations);
  }

  read(): Traffic {
    const now = this.now();
    const summary = recentSummary(this.series, WINDOW_MS);
    const windowMs = WINDOW_MS - SLICE_MS + (now % SLICE_MS);
    // A rate computed over the first moments would be too high.
    const seconds = Math.max(1000, Math.min(windowMs, now - this.startedAt)) / 1000;
    return { ...summary, ratePerSecond: summary.count / seconds };
  }
}
