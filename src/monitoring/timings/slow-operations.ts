import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { SlowOperation } from '../snapshot/monitoring-snapshot.js';

/** Number of shapes that are shown; more are kept, to select from. */
const SHOWN = 10;
const MAX_KEPT = 200;
/** A shape is removed if it has not been slow for this long. */
const KEPT_MS = 15 * 60_000;

/** One run of a slow request or database command. */
export type SlowRun = Omit<SlowOperation, 'at' | 'count' | 'maxMs' | 'totalMs'>;

/** Slow requests by route and slow database commands by shape, for operators. Single runs are in the log. */
@Injectable()
export class SlowOperations {
  private readonly shapes = new LRUCache<string, SlowOperation>({ max: MAX_KEPT });

  note(run: SlowRun): void {
    const key = `${run.kind} ${run.what}`;
    const { count = 0, maxMs = 0, totalMs = 0 } = this.current(key) ?? {};
    this.shapes.set(key, {
      ...run,
      at: new Date().toISOString(),
      count: count + 1,
      maxMs: Math.max(maxMs, run.durationMs),
      totalMs: totalMs + run.durationMs,
    });
  }

  /** The shapes with the highest total time, at most ten. */
  worst(): SlowOperation[] {
    return [...this.shapes.keys()]
      .flatMap((key) => this.current(key) ?? [])
      .sort((a, b) => b.totalMs - a.totalMs)
      .slice(0, SHOWN);
  }

  private current(key: string): SlowOperation | undefined {
    const operation = this.shapes.peek(key);
    return operation && Date.now() - Date.parse(operation.at) < KEPT_MS ? operation : undefined;
  }
}
