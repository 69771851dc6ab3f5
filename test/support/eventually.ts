import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 20;
const PATIENCE_MS = 90_000;

/**
 * Resolves once `check` returns true. Use it for conditions that emit no event. The deadline only limits the
 * wait for something that never happens; no test may depend on its length.
 *
 * @throws Error with the source of `check` when the deadline expires
 */
export async function eventually(check: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await check())) {
    if (performance.now() > deadline)
      throw new Error(`still false after ${PATIENCE_MS / 1000} s: ${check.toString()}`);
    await delay(POLL_MS);
  }
}
