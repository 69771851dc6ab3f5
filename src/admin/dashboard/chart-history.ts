import { type Charted, CHARTED, type ChartPoint } from './chart-point.js';

/** How far back the charts reach, seconds. */
export const HISTORY_SECONDS = 900;
/** Time between two points that are kept, seconds. */
export const HISTORY_STEP_SECONDS = 10;

const MAX_POINTS = HISTORY_SECONDS / HISTORY_STEP_SECONDS;

/** Numbers by what they are of, all lists as long as `at`, the oldest first. */
export interface HistoryColumns extends Record<Charted, (number | null)[]> {
  /** Seconds since 1970. */
  at: number[];
}

/** The last quarter of an hour of charted numbers, so that a page that was just opened has its charts at once. */
export class ChartHistory {
  private points: ChartPoint[] = [];

  /** Points that come sooner than a step after the last are left out; those that a clock set back has made future ones go. */
  add(point: ChartPoint): void {
    this.points = this.points.filter(({ at }) => at <= point.at);
    const last = this.points.at(-1);
    // A timer may come round a little early.
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
