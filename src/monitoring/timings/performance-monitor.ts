import { RollingHistogram, type TimingSummary } from './rolling-histogram.js';
import { timingsTable } from './timings-table.js';

export interface PerformanceMonitorOptions {
  /** How far back the numbers reach, milliseconds. */
  windowMs?: number;
  /** The window leaves the past in so many steps. */
  slices?: number;
  /** Most operations that are told apart; more of them are counted together as `other`. */
  maxOperations?: number;
  /** A clock that never goes back, milliseconds. */
  now?: () => number;
}

export interface OperationStats extends TimingSummary {
  operation: string;
}

/** The name of all operations beyond the limit. */
export const OTHER_OPERATIONS = 'other';

/**
 * How long the operations of this process took and how often they failed, over the last minutes. The memory is bounded whatever is
 * recorded: by the number of operations and, for each of them, by the slices of the window. Names must come from the code (a
 * route's template, a method), never from a request.
 */
export class PerformanceMonitor {
  private readonly operations = new Map<string, RollingHistogram>();
  private readonly sliceMs: number;
  private readonly slices: number;
  private readonly maxOperations: number;
  private readonly now: () => number;
  /** The slice of time in which idle operations were last looked for. */
  private tidied = -1;

  constructor({
    windowMs = 300_000,
    slices = 5,
    maxOperations = 200,
    now = () => performance.now(),
  }: PerformanceMonitorOptions = {}) {
    this.sliceMs = windowMs / slices;
    this.slices = slices;
    this.maxOperations = maxOperations;
    this.now = now;
  }

  /** Notes one run. A duration that is no number, or below 0, counts as 0. */
  record(operation: string, durationMs: number, ok: boolean): void {
    const now = this.now();
    const histogram = this.operations.get(operation) ?? this.admit(operation, now);
    histogram.record(durationMs > 0 ? durationMs : 0, ok, now);
  }

  /** Runs `work` and notes how long it took and whether it failed; answers and throws as `work` does. */
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
    const summary = this.operations.get(operation)?.summary(this.now());
    return summary && { operation, ...summary };
  }

  /** Every operation that ran within the window, the slowest p95 first. */
  getAllStats(): OperationStats[] {
    const now = this.now();
    return [...this.operations]
      .map(([operation, histogram]) => ({ operation, ...histogram.summary(now) }))
      .filter(({ count }) => count > 0)
      .sort((a, b) => (b.p95Ms ?? 0) - (a.p95Ms ?? 0) || a.operation.localeCompare(b.operation));
  }

  /** The same as a table for a terminal. */
  formatSummary(): string {
    return timingsTable(this.getAllStats());
  }

  private admit(operation: string, now: number): RollingHistogram {
    if (this.operations.size >= this.maxOperations) this.dropIdle(now);
    const name = this.operations.size >= this.maxOperations ? OTHER_OPERATIONS : operation;
    let histogram = this.operations.get(name);
    if (!histogram) {
      histogram = new RollingHistogram(this.sliceMs, this.slices);
      this.operations.set(name, histogram);
    }
    return histogram;
  }

  /** At most once for each slice of time: a flood of names does not make each record walk over all. */
  private dropIdle(now: number): void {
    const slice = Math.floor(now / this.sliceMs);
    if (slice === this.tidied) return;
    this.tidied = slice;
    for (const [name, histogram] of this.operations) if (histogram.isIdle(now)) this.operations.delete(name);
  }
}
