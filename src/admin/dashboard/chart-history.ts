import { type Charted, CHARTED, type ChartPoint } from './chart-point.js';

/** The time span of the charts, in seconds. */
export const HISTORY_SECONDS = 900;
/** The interval between stored points, in seconds. */
export const HISTORY_STEP_SECONDS = 10;

const MAX_POINTS = HISTORY_SECONDS / HISTORY_STEP_SECONDS;

/** Values by series, oldest first. All lists are as long as `at`. */
export interface HistoryColumns extends Record<Charted, (number | null)[]> {
  /** Seconds since 1970. */
  at: number[];
}

/**
 * Stores the charted values of the last 15 minutes, so that a newly opened page can show its charts
 * immediately.
 */
export class ChartHistory {
  private points: ChartPoint[] = [];

  /**
   * Adds a point. A point less than one step after the last is ignored. Points that lie in the future, after
   * the clock was set back, are removed.
   */
  add(point: ChartPoint): void {
    this.points = this.points.filter(({ at }) => at <= point.at);
    const last = this.points.at(-1);
    // A timer may fire slightly early.
    if (last && point.at - last.at < HISTORY_STEP_SECONDS - 0.5) return;
    this.points.push(point);
    const oldest = point.at - HISTORY_SECONDS;
    this.points = this.points.slice(-MAX_POINTS).filter(({ at }) => at >= oldest);
  }

  columns(): HistoryColumns {
    const { points } = this;
    const columns = CHARTED.map((name) => [name, points.map((point) => point[name])] as const);
    return {
      at: points.map(({ at }) => at),
      ...(Object.fromEntries(columns) as Record<Charted, (number | null)[]>),
    };
  }
}
