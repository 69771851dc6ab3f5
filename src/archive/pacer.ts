import { setTimeout as delay } from 'node:timers/promises';

/** Longest stretch of work without a pause, milliseconds. */
const STRETCH_MS = 3;

/** Pauses are this many times as long as the work before them. */
const REST = 1;

/**
 * Leaves time for requests between the steps of long work: half of the event loop at most is used. Waiting
 * for the database or a file counts as work, too, so the database also gets a rest.
 */
export class Pacer {
  private begun = performance.now();

  /** Call after each small step. Pauses once the steps since the last pause took long enough. */
  async pause(): Promise<void> {
    const worked = performance.now() - this.begun;
    if (worked < STRETCH_MS) return;
    await delay(worked * REST, undefined, { ref: false });
    this.begun = performance.now();
  }
}
