import { Injectable } from '@nestjs/common';
import { type Durations, recentSummary, type TimingSummary } from './durations.js';

const WINDOW_MS = 60_000;
const SLICE_MS = 10_000;

/** Figures of the last minute. */
export interface Traffic extends TimingSummary {
  ratePerSecond: number;
}

/** Durations and failures of one kind of work, all series together, over the last minute. */
class Meter {
  private readonly series: Durations[] = [];
  private readonly startedAt: number;

  constructor(private readonly now: () => number) {
    this.startedAt = now();
  }

  add(durations: Durations): void {
    this.series.push(durations);
  }

  read(): Traffic {
    const now = this.now();
    const summary = recentSummary(this.series, WINDOW_MS);
    const windowMs = WINDOW_MS - SLICE_MS + (now % SLICE_MS);
    // A rate over the first moments would say more than is known.
    const seconds = Math.max(1000, Math.min(windowMs, now - this.startedAt)) / 1000;
    return { ...summary, ratePerSecond: summary.count / seconds };
  }
}

/**
 * All requests, all database commands and all pauses of the garbage collector of the last minute. The monitor of single operations
 * looks back further, which is too far for an alert: it would last as long after the cause has gone.
 */
@Injectable()
export class TrafficMeter {
  readonly requests: Meter;
  readonly commands: Meter;
  readonly gcPauses: Meter;

  /** `now`: the clock of the series that are added. */
  constructor(now: () => number = () => performance.now()) {
    this.requests = new Meter(now);
    this.commands = new Meter(now);
    this.gcPauses = new Meter(now);
  }
}
