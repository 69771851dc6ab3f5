import type { z } from 'zod';
import type { BackoffOptions } from '../common/index.js';

export interface RateLimit {
  /** Jobs that may begin within `perMs`, all processes together. */
  readonly max: number;
  readonly perMs: number;
}

/** How a queue treats its jobs. Times in milliseconds. */
export interface QueueOptions<Payload> {
  /** Stands in URLs, keys and metrics: lower-case letters, digits and hyphens. */
  readonly name: string;
  /** Checked when a job is enqueued, and again when it runs: the code may have changed in between. */
  readonly payload: z.ZodType<Payload>;
  /** Tries of a job, the first included. */
  readonly attempts?: number;
  readonly backoff?: Pick<BackoffOptions, 'baseMs' | 'maxMs' | 'jitter'>;
  readonly rateLimit?: RateLimit;
  /** Jobs of this queue that one process runs at the same time. */
  readonly concurrency?: number;
  /** A try that takes longer has failed. */
  readonly timeoutMs?: number;
  /** Finished jobs that are kept. */
  readonly keep?: { readonly completed: number; readonly failed: number };
  /** Names what a job is about: while one of the name is unfinished, another is not stored. */
  readonly dedupeKey?: (payload: Payload) => string;
  /** 0 is run first, 10 last. */
  readonly priority?: number;
}

/** A queue as those know it who need not know what its payloads are. */
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
 * Declares a queue; its module registers it with `QueueModule.forFeature` and provides one `@ProcessorOf` it.
 * @throws TypeError when the name or a number cannot be used
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
    throw new TypeError(`"${name}" is no name for a queue: lower-case letters, digits and hyphens only`);
  const isWhole = (value: number, least: number, most: number): boolean =>
    Number.isInteger(value) && value >= least && value <= most;
  if (
    !isWhole(attempts, 1, 1000) ||
    !isWhole(concurrency, 1, 10_000) ||
    !isWhole(timeoutMs, 1, 24 * 3_600_000)
  )
    throw new TypeError(
      `queue "${name}": attempts, concurrency or timeoutMs is not a number it can work with`,
    );
  if (!isWhole(priority, 0, LOWEST_PRIORITY))
    throw new TypeError(`queue "${name}": priority must be from 0 to ${LOWEST_PRIORITY}`);
  return Object.freeze(definition);
}
