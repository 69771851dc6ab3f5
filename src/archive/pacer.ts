import { setTimeout as delay } from 'node:timers/promises';

/** Longest work without a pause, milliseconds. */
const MAX_WORK_MS = 3;

/** Pauses are this many times as long as the work before them. */
const PAUSE_RATIO = 2;

/**
 * Leaves time for requests between the steps of long work, which uses at most a third of the event loop's time.
 * Waiting for the database or a file counts as work, too, so the database also gets pauses.
 */
export class Pacer {
  private begun = performance.now();

  /** Call after each small step. Pauses once the steps since the last pause took long enough. */
  async pause(): Promise<void> {
    const worked = performance.now() - this.begun;
    if (worked < MAX_WORK_MS) return;
    await delay(worked * PAUSE_RATIO, undefined, { ref: false });
    this.begun = performance.now();
  }
}
