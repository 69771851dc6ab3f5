/** A set of measured durations, ms. */
export interface Percentiles {
  count: number;
  mean: number;
  p50: number;
  p95: number;
  p99: number;
  max: number;
}

/** Nearest-rank percentile; NaN if nothing was measured. */
export function percentilesOf(times: readonly number[]): Percentiles {
  const sorted = Float64Array.from(times).sort();
  const count = sorted.length;
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * count) - 1)] ?? NaN;
  const sum = sorted.reduce((total, time) => total + time, 0);
  return { count, mean: sum / count, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
}
