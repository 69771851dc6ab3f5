import type { z } from 'zod';
import type { BackoffOptions } from '../common/index.js';

export interface RateLimit {
  /** Maximum number of jobs started within `perMs`, across all processes. */
  readonly max: number;
  readonly perMs: number;
}

/** Options of a queue. All times are in milliseconds. */
export interface QueueOptions<Payload> {
  /** Appears in URLs, keys and metrics: lower-case letters, digits and hyphens. */
  readonly name: string;
  /** Validated when a job is enqueued and again when it runs, as the code may have changed in between. */
  readonly payload: z.ZodType<Payload>;
  /** Maximum number of attempts, including the first. */
  readonly attempts?: number;
  readonly backoff?: Pick<BackoffOptions, 'baseMs' | 'maxMs' | 'jitter'>;
  readonly rateLimit?: RateLimit;
  /** Maximum number of jobs of this queue that one process runs concurrently. */
  readonly concurrency?: number;
  /** An attempt that takes longer fails. */
  readonly timeoutMs?: number;
  /** Number of finished jobs to keep. */
  readonly keep?: { readonly completed: number; readonly failed: number };
  /** Derives a key from the payload. A job is not stored while an unfinished job has the same key. */
  readonly dedupeKey?: (payload: Payload) => string;
  /** 0 (runs first) to 10 (runs last). */
  readonly priority?: number;
}

/** A queue definition without the type of its payload. */
export interface QueueDeclaration {
  readonly name: string;
  readonly payload: z.ZodType;
  readonly attempts: number;
  readonly backoff: Pick<BackoffOptions, 'baseMs' | 'maxMs' | 'jitter'>;
  readonly rateLimit: RateLimit | undefined;
  readonly concurrency: number;
  readonly timeoutMs: number;
  readonly keep: { readonly completed: number; readonly failed: number };
  readonly priority: number;
}

export interface QueueDefinition<Payload> extends QueueDeclaration {
  readonly payload: z.ZodType<Payload>;
  readonly dedupeKey: ((payload: Payload) => string) | undefined;
}

export const LOWEST_PRIORITY = 10;

/**
 * Declares a queue. The module registers it with `QueueModule.forFeature` and provides one class decorated
 * with `@ProcessorOf`.
 * @throws TypeError if the name or a number is invalid
 */
export function defineQueue<Payload>(options: QueueOptions<Payload>): QueueDefinition<Payload> {
  const definition: QueueDefinition<Payload> = {
    attempts: 3,
    backoff: { baseMs: 1000, maxMs: 60_000, jitter: 0.5 },
    concurrency: 5,
    timeoutMs: 30_000,
    keep: { completed: 100, failed: 500 },
    priority: 5,
    rateLimit: undefined,
    dedupeKey: undefined,
    ...options,
  };
  const { name, attempts, concurrency, timeoutMs, priority } = definition;
  if (!/^[a-z][a-z0-9-]{0,63}$/.test(name))
    throw new TypeError(
      `"${name}" is not a valid queue name: use lower-case letters, digits and hyphens, beginning with a letter`,
    );
  const isWhole = (value: number, least: number, most: number): boolean =>
    Number.isInteger(value) && value >= least && value <= most;
  if (
    !isWhole(attempts, 1, 1000) ||
    !isWhole(concurrency, 1, 10_000) ||
    !isWhole(timeoutMs, 1, 24 * 3_600_000)
  )
    throw new TypeError(
      `queue "${name}": attempts, concurrency or timeoutMs is out of range or not an integer`,
    );
  if (!isWhole(priority, 0, LOWEST_PRIORITY))
    throw new TypeError(`queue "${name}": priority must be from 0 to ${LOWEST_PRIORITY}`);
  return Object.freeze(definition);
}
