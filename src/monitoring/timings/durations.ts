/**
 * Bucket bounds that can be exported to Prometheus, milliseconds. Between two of them there are as many finer
 * buckets as needed for each bound to be at most 5 % above the previous one.
 */
const BOUNDS_TO_SHOW = [
  0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000,
  60_000, 300_000,
];
const STEP = 1.05;

/** Length of a slice, milliseconds. The window of five minutes consists of such slices. */
const SLICE_MS = 10_000;
const SLICES = 30;
export const WINDOW_MS = SLICE_MS * SLICES;

function fineBounds(): Float64Array {
  const bounds: number[] = [];
  BOUNDS_TO_SHOW.forEach((bound, index) => {
    const before = BOUNDS_TO_SHOW[index - 1];
    if (before !== undefined) {
      const steps = Math.ceil(Math.log(bound / before) / Math.log(STEP));
      for (let step = 1; step < steps; step++) bounds.push(before * (bound / before) ** (step / steps));
    }
    bounds.push(bound);
  });
  return Float64Array.from(bounds);
}

/** Upper bounds of the buckets, inclusive. One more bucket counts durations above the last bound. */
const bounds = fineBounds();
const LAST = bounds.length;

/** Index of the first bucket whose upper bound is not below `ms`. */
function bucketOf(ms: number): number {
  let low = 0;
  let high = LAST;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((bounds[middle] ?? 0) < ms) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Figures of one window. Times are in milliseconds, and null if nothing was timed. */
export interface TimingSummary {
  count: number;
  errors: number;
  /** Share of errors, 0 to 1. */
  errorRate: number;
  meanMs: number | null;
  p50Ms: number | null;
  p95Ms: number | null;
  p99Ms: number | null;
  maxMs: number | null;
}

/** Durations counted by bucket. */
export class Tally {
  count = 0;
  errors = 0;
  sumMs = 0;
  maxMs = 0;

  /** Float64Array by default, because a sum over the lifetime of a process may exceed 2^32. */
  constructor(private readonly buckets: Uint32Array | Float64Array = new Float64Array(LAST + 1)) {}

  static ofSlice(): Tally {
    return new Tally(new Uint32Array(LAST + 1));
  }

  add(ms: number, ok: boolean): void {
    const bucket = bucketOf(ms);
    this.count++;
    if (!ok) this.errors++;
    this.sumMs += ms;
    if (ms > this.maxMs) this.maxMs = ms;
    this.buckets[bucket] = (this.buckets[bucket] ?? 0) + 1;
  }

  merge(other: Tally): void {
    this.count += other.count;
    this.errors += other.errors;
    this.sumMs += other.sumMs;
    this.maxMs = Math.max(this.maxMs, other.maxMs);
    other.buckets.forEach((count, bucket) => {
      this.buckets[bucket] = (this.buckets[bucket] ?? 0) + count;
    });
  }

  clear(): void {
    this.count = 0;
    this.errors = 0;
    this.sumMs = 0;
    this.maxMs = 0;
    this.buckets.fill(0);
  }

  /**
   * Returns how many durations were at most `boundMs`, for each of `boundsMs`, which must be ascending and
   * among `BOUNDS_TO_SHOW`.
   */
  cumulative(boundsMs: readonly number[]): number[] {
    let next = 0;
    let sum = 0;
    return boundsMs.map((boundMs) => {
      for (const end = bucketOf(boundMs); next <= end; next++) sum += this.buckets[next] ?? 0;
      return sum;
    });
  }

  summary(): TimingSummary {
    const { count, errors, sumMs, maxMs } = this;
    const timed = count > 0;
    return {
      count,
      errors,
      errorRate: timed ? errors / count : 0,
      meanMs: timed ? sumMs / count : null,
      p50Ms: timed ? this.percentile(0.5) : null,
      p95Ms: timed ? this.percentile(0.95) : null,
      p99Ms: timed ? this.percentile(0.99) : null,
      maxMs: timed ? maxMs : null,
    };
  }

  /** Within 5 % above 10 microseconds. Assumes that the values of a bucket are evenly distributed. */
  private percentile(share: number): number {
    let left = Math.ceil(share * this.count);
    for (let bucket = 0; bucket <= LAST; bucket++) {
      const inBucket = this.buckets[bucket] ?? 0;
      if (left > inBucket) {
        left -= inBucket;
        continue;
      }
      const from = bounds[bucket - 1] ?? 0;
      const to = Math.min(bounds[bucket] ?? Infinity, this.maxMs);
      return from + (to - from) * (left / inBucket);
    }
    return this.maxMs;
  }
}

interface Slice {
  /** Number of the time slice, counted from 0 of the clock. */
  index: number;
  readonly tally: Tally;
}

/**
 * The durations of one series: those of the last five minutes in slices of ten seconds, and the sum of all
 * since the start. A duration is recorded once, in the current slice; slices that leave the window are added
 * to the sum. Memory use does not depend on the number of durations.
 */
export class Durations {
  private readonly slices: (Slice | undefined)[] = new Array<Slice | undefined>(SLICES).fill(undefined);
  private readonly past = new Tally();

  /** `now` must be a monotonic clock in milliseconds. */
  constructor(private readonly now: () => number = () => performance.now()) {}

  /** A negative duration or NaN is recorded as 0. */
  record(durationMs: number, ok: boolean): void {
    const index = Math.floor(this.now() / SLICE_MS);
    const slice = this.slices[index % SLICES];
    const { tally } = slice?.index === index ? slice : this.begin(index);
    tally.add(durationMs > 0 ? durationMs : 0, ok);
  }

  /** All durations since the process started. */
  total(): Tally {
    const sum = new Tally();
    sum.merge(this.past);
    for (const slice of this.slices) if (slice) sum.merge(slice.tally);
    return sum;
  }

  /**
   * Adds to `sum` what was recorded in the last `windowMs`, at most WINDOW_MS, including the current slice.
   */
  addRecent(sum: Tally, windowMs: number): void {
    const newest = Math.floor(this.now() / SLICE_MS);
    const oldest = newest - windowMs / SLICE_MS + 1;
    for (const slice of this.slices)
      if (slice && slice.index >= oldest && slice.index <= newest) sum.merge(slice.tally);
  }

  private begin(index: number): Slice {
    const position = index % SLICES;
    const old = this.slices[position];
    if (old) {
      this.past.merge(old.tally);
      old.tally.clear();
      old.index = index;
      return old;
    }
    const slice = { index, tally: Tally.ofSlice() };
    this.slices[position] = slice;
    return slice;
  }
}

/** Summarizes several series together over the last `windowMs`. */
export function recentSummary(series: Iterable<Durations>, windowMs: number): TimingSummary {
  const sum = new Tally();
  for (const durations of series) durations.addRecent(sum, windowMs);
  return sum.summary();
}
