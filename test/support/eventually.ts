import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 20;
const PATIENCE_MS = 90_000;

/**
 * Resolves once `check` returns true, for conditions that send no event. The deadline only ends a wait for something
 * that will never happen; no test may depend on how long it takes.
 *
 * @throws Error with the source of `check` after the deadline
 */
export async function eventually(check: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await check())) {
    if (performance.now() > deadline)
      throw new Error(`still false after ${PATIENCE_MS / 1000} s: ${check.toString()}`);
    await delay(POLL_MS);
  }
}
