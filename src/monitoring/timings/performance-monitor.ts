import { Durations, recentSummary, WINDOW_MS } from './durations.js';
import { type OperationStats, timingsTable } from './timings-table.js';

export interface PerformanceMonitorOptions {
  /** How many operations `record` keeps apart; further ones are counted together as `other`. */
  maxOperations?: number;
  /** A clock that never goes back, milliseconds. */
  now?: () => number;
}

/** The name of all operations beyond the limit. */
export const OTHER_OPERATIONS = 'other';

/**
 * How long the operations of this process took and how often they failed, over the last five minutes. Names must come from the code (the
 * template of a route, a method), never from a request.
 */
export class PerformanceMonitor {
  private readonly operations = new Map<string, Durations[]>();
  private readonly maxOperations: number;
  private readonly now: () => number;

  constructor({ maxOperations = 200, now = () => performance.now() }: PerformanceMonitorOptions = {}) {
    this.maxOperations = maxOperations;
    this.now = now;
  }

  /** Makes `durations` part of the operation, which may have several series. */
  add(operation: string, durations: Durations): void {
    const series = this.operations.get(operation);
    if (series) series.push(durations);
    else this.operations.set(operation, [durations]);
  }

  /** Records one run. A negative duration, or NaN, counts as 0. */
  record(operation: string, durationMs: number, ok: boolean): void {
    const [series] = this.operations.get(operation) ?? this.admit(operation);
    series?.record(durationMs, ok);
  }

  /** Runs `work` and records how long it took and whether it failed; returns and throws what `work` does. */
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

  /** Undefined for an operation that is not known (or is counted as `other`). */
  getStats(operation: string): OperationStats | undefined {
    const series = this.operations.get(operation);
    return series && { operation, ...recentSummary(series, WINDOW_MS) };
  }

  /** Every operation that ran within the window, the slowest p95 first. */
  getAllStats(): OperationStats[] {
    return [...this.operations]
      .map(([operation, series]) => ({ operation, ...recentSummary(series, WINDOW_MS) }))
      .filter(({ count }) => count > 0)
      .sort((a, b) => (b.p95Ms ?? 0) - (a.p95Ms ?? 0) || a.operation.localeCompare(b.operation));
  }

  /** Those operations whose name matches, the most frequent first. */
  getBusiest(name: RegExp, limit: number): OperationStats[] {
    return this.getAllStats()
      .filter(({ operation }) => name.test(operation))
      .sort((a, b) => b.count - a.count)
      .slice(0, limit);
  }

  /** All stats as a table for a terminal. */
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
