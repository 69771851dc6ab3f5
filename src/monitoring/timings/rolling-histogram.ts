import { build, type Histogram } from 'hdr-histogram-js';

/** Values are kept in microseconds up to an hour; percentiles are right to two digits. */
const MICROSECONDS_PER_MS = 1000;
const LONGEST_US = 3_600_000_000;
const DIGITS = 2;

/** What happened within one window. Times are milliseconds and null while nothing was timed. */
export interface TimingSummary {
  count: number;
  errors: number;
  /** Errors of all, 0 to 1. */
  errorRate: number;
  meanMs: number | null;
  p50Ms: number | null;
  p95Ms: number | null;
  p99Ms: number | null;
  maxMs: number | null;
}

/** Grows with the values that it sees: an operation of some milliseconds takes about 5 KB, of an hour 13 KB. */
const emptyHistogram = (): Histogram => {
  const histogram = build({ bitBucketSize: 32, numberOfSignificantValueDigits: DIGITS });
  histogram.autoResize = true;
  return histogram;
};

class Slice {
  /** Which slice of time this holds; -1: none yet. */
  index = -1;
  count = 0;
  errors = 0;
  sumMs = 0;
  maxMs = 0;
  readonly histogram = emptyHistogram();

  begin(index: number): void {
    this.index = index;
    this.count = 0;
    this.errors = 0;
    this.sumMs = 0;
    this.maxMs = 0;
    this.histogram.reset();
  }

  add(durationMs: number, ok: boolean): void {
    this.count++;
    if (!ok) this.errors++;
    this.sumMs += durationMs;
    if (durationMs > this.maxMs) this.maxMs = durationMs;
    this.histogram.recordValue(Math.min(Math.round(durationMs * MICROSECONDS_PER_MS), LONGEST_US));
  }
}

/**
 * The durations of the last `slices.length` slices of time, the running one included. Its memory does not depend on how much is
 * recorded; a slice that has left the window is used again.
 */
export class RollingHistogram {
  private readonly slices: (Slice | undefined)[];

  constructor(
    private readonly sliceMs: number,
    sliceCount: number,
  ) {
    this.slices = new Array<Slice | undefined>(sliceCount).fill(undefined);
  }

  record(durationMs: number, ok: boolean, nowMs: number): void {
    const index = Math.floor(nowMs / this.sliceMs);
    const place = index % this.slices.length;
    const slice = (this.slices[place] ??= new Slice());
    if (slice.index !== index) slice.begin(index);
    slice.add(durationMs, ok);
  }

  /** Whether anything was recorded within the window that ends now. */
  isIdle(nowMs: number): boolean {
    return this.within(nowMs).length === 0;
  }

  summary(nowMs: number): TimingSummary {
    let count = 0;
    let errors = 0;
    let sumMs = 0;
    let maxMs = 0;
    const all = emptyHistogram();
    for (const slice of this.within(nowMs)) {
      count += slice.count;
      errors += slice.errors;
      sumMs += slice.sumMs;
      maxMs = Math.max(maxMs, slice.maxMs);
      all.add(slice.histogram);
    }
    if (count === 0)
      return {
        count,
        errors,
        errorRate: 0,
        meanMs: null,
        p50Ms: null,
        p95Ms: null,
        p99Ms: null,
        maxMs: null,
      };
    // The histogram answers with the upper end of a step, which may lie above the longest that there was.
    const at = (percentile: number): number =>
      Math.min(all.getValueAtPercentile(percentile) / MICROSECONDS_PER_MS, maxMs);
    return {
      count,
      errors,
      errorRate: errors / count,
      meanMs: sumMs / count,
      p50Ms: at(50),
      p95Ms: at(95),
      p99Ms: at(99),
      maxMs,
    };
  }

  private within(nowMs: number): Slice[] {
    const newest = Math.floor(nowMs / this.sliceMs);
    const oldest = newest - this.slices.length + 1;
    return this.slices.filter(
      (slice): slice is Slice => slice !== undefined && slice.index >= oldest && slice.index <= newest,
    );
  }
}
