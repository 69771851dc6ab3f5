import { z } from 'zod';

const count = z.int().min(0);
const tier = {
  hits: count,
  misses: count,
  hitRate: z
    .number()
    .nullable()
    .meta({ description: 'Share of hits among all lookups, 0 to 1', example: 0.97 }),
};

export const cacheStatsSchema = z.object({
  l1: z
    .object({
      ...tier,
      entries: count,
      maxEntries: count,
      bytes: count.meta({ description: 'Estimated memory' }),
      maxBytes: count,
      evictions: count,
    })
    .meta({ description: 'The memory of this process' }),
  l2: z
    .object({
      ...tier,
      state: z.enum(['off', 'closed', 'open', 'half-open']).meta({
        description: 'State of the circuit breaker: closed while Redis is used; off: no Redis is configured',
      }),
      calls: count,
      errors: count,
      refused: count,
      timesOpened: count,
      skipped: count.meta({
        description:
          'Lookups that skipped Redis: it was unavailable, an invalidation was pending, or the tenant is excluded',
      }),
      pendingInvalidations: count.meta({
        description: 'Invalidations that have not reached Redis yet',
      }),
    })
    .meta({ description: 'Redis, as seen by this process; calls and errors include those of other modules' }),
  invalidations: count,
  loadWaitTimeouts: count.meta({
    description: "How often waiting for another process's load ended without an entry",
  }),
  families: z.record(
    z.string(),
    z.object({
      ...tier,
      loads: count,
      loadErrors: count,
      meanLoadMs: z.number().nullable(),
      maxLoadMs: z.number(),
    }),
  ),
});
