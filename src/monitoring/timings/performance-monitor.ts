import { Durations, recentSummary, WINDOW_MS } from './durations.js';
import { type OperationStats, timingsTable } from './timings-table.js';

export interface PerformanceMonitorOptions {
  /** Maximum number of operations that `record` counts separately. Further ones are combined as `other`. */
  maxOperations?: number;
  /** A monotonic clock in milliseconds. */
  now?: () => number;
}

/** Name of the combined operations beyond the limit. */
export const OTHER_OPERATIONS = 'other';

/**
 * Durations and failures of the operations of this process over the last five minutes. Names must come from
 * the code (a route template, a method name), never from a request.
 */
export class PerformanceMonitor {
  private readonly operations = new Map<string, Durations[]>();
  private readonly maxOperations: number;
  private readonly now: () => number;

  constructor({ maxOperations = 200, now = () => performance.now() }: PerformanceMonitorOptions = {}) {
    this.maxOperations = maxOperations;
    this.now = now;
  }

  /** Adds a series to the operation, which may have several. */
  add(operation: string, durations: Durations): void {
    const series = this.operations.get(operation);
    if (series) series.push(durations);
    else this.operations.set(operation, [durations]);
  }

  /** Records one run. A negative duration or NaN is recorded as 0. */
  record(operation: string, durationMs: number, ok: boolean): void {
    const [series] = this.operations.get(operation) ?? this.admit(operation);
    series?.record(durationMs, ok);
  }

  /** Runs `work` and records its duration and whether it failed. Returns or throws what `work` does. */
  async time<T>(operation: string, work: () => T | Promise<T>): Promise<T> {
    const begun = this.now();
    let ok = false;
    try {
      const result = await work();
      ok = true;
      return result;
    } finally {
      this.record(operation, this.now() - begun, ok);
    }
  }

  /** Returns undefined for an operation that is not known, or that is counted as `other`. */
  getStats(operation: string): OperationStats | undefined {
    const series = this.operations.get(operation);
    return series && { operation, ...recentSummary(series, WINDOW_MS) };
  }

  /** Every operation that ran within the window, by p95, descending. */
  getAllStats(): OperationStats[] {
    return [...this.operations]
      .map(([operation, series]) => ({ operation, ...recentSummary(series, WINDOW_MS) }))
      .filter(({ count }) => count > 0)
      .sort((a, b) => (b.p95Ms ?? 0) - (a.p95Ms ?? 0) || a.operation.localeCompare(b.operation));
  }

  /** Operations whose name matches, by frequency, descending. */
  getBusiest(name: RegExp, limit: number): OperationStats[] {
    return this.getAllStats()
      .filter(({ operation }) => name.test(operation))
      .sort((a, b) => b.count - a.count)
      .slice(0, limit);
  }

  /** Formats all statistics as a table for a terminal. */
  formatSummary(): string {
    return timingsTable(this.getAllStats());
  }

  private admit(operation: string): Durations[] {
    const name = this.operations.size < this.maxOperations ? operation : OTHER_OPERATIONS;
    const known = this.operations.get(name);
    if (known) return known;
    const series = [new Durations(this.now)];
    this.operations.set(name, series);
    return series;
  }
}
