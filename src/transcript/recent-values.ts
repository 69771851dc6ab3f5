/** Statistics of the last values, at most as many as are kept. All zero if there are none. */
export interface Distribution {
  count: number;
  mean: number;
  p50: number;
  p95: number;
  p99: number;
  max: number;
}

/** Keeps the last values of a measurement in bounded memory. */
export class RecentValues {
  private readonly values: Float64Array;
  private added = 0;

  constructor(kept = 1024) {
    this.values = new Float64Array(kept);
  }

  add(value: number): void {
    this.values[this.added % this.values.length] = value;
    this.added++;
  }

  /** Percentiles use the nearest-rank method. */
  distribution(): Distribution {
    const sorted = this.values.slice(0, Math.min(this.added, this.values.length)).sort();
    const count = sorted.length;
    const rank = (share: number): number => sorted[Math.max(0, Math.ceil(count * share) - 1)] ?? 0;
    const sum = sorted.reduce((total, value) => total + value, 0);
    return {
      count,
      mean: count === 0 ? 0 : sum / count,
      p50: rank(0.5),
      p95: rank(0.95),
      p99: rank(0.99),
      max: sorted.at(-1) ?? 0,
    };
  }
}
