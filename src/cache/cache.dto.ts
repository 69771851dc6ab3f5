import { z } from 'zod';

const count = z.int().min(0);
const tier = {
  hits: count,
  misses: count,
  hitRate: z
    .number()
    .nullable()
    .meta({ description: 'Hits of all that were asked for, 0 to 1', example: 0.97 }),
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
      state: z
        .enum(['off', 'closed', 'open', 'half-open'])
        .meta({ description: 'Of the circuit breaker: closed is well; off: no Redis is configured' }),
      calls: count,
      errors: count,
      refused: count,
      timesOpened: count,
      skipped: count.meta({
        description:
          'Times that Redis was not asked: it was away, an invalidation was on its way, or the tenant is kept out',
      }),
      pendingInvalidations: count.meta({
        description: 'Tenants with invalidations that Redis has not been notified of yet',
      }),
    })
    .meta({ description: 'Redis, as this process sees it; calls and errors are of all its users' }),
  invalidations: count,
  waitsInVain: count,
  families: z.record(
    z.string(),
    z.object({
      ...tier,
      loads: count,
      loadErrors: count,
      meanLoadMs: z.number().nullable(),
      maxLoadMs: z.number(),
      staleServes: count,
    }),
  ),
});
