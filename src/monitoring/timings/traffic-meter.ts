import { Injectable } from '@nestjs/common';
import { RollingHistogram, type TimingSummary } from './rolling-histogram.js';

const SLICE_MS = 10_000;
const SLICES = 6;

/** Figures of the last minute. */
export interface Traffic extends TimingSummary {
  ratePerSecond: number;
}

/** Durations and failures of one kind of work, all together, over the last minute. */
class Meter {
  private readonly histogram = new RollingHistogram(SLICE_MS, SLICES);
  private readonly bornAt: number;

  constructor(private readonly now: () => number) {
    this.bornAt = now();
  }

  record(durationMs: number, ok: boolean): void {
    this.histogram.record(durationMs > 0 ? durationMs : 0, ok, this.now());
  }

  read(): Traffic {
    const now = this.now();
    const summary = this.histogram.summary(now);
    const windowMs = (SLICES - 1) * SLICE_MS + (now % SLICE_MS);
    // A rate over the first moments would say more than is known.
    const seconds = Math.max(1000, Math.min(windowMs, now - this.bornAt)) / 1000;
    return { ...summary, ratePerSecond: summary.count / seconds };
  }
}

/**
 * All requests and all database commands of the last minute. The monitor of single operations looks back further, which is too far
 * for an alert: it would last as long after all is well again.
 */
@Injectable()
export class TrafficMeter {
  readonly requests: Meter;
  readonly commands: Meter;
  readonly gcPauses: Meter;

  /** `now`: a clock that never goes back, milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.requests = new Meter(now);
    this.commands = new Meter(now);
    this.gcPauses = new Meter(now);
  }
}
