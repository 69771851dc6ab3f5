import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { z } from 'zod';

const count = z.int().nonnegative();

/** The part of `GET /v1/sessions/stats` that counts opened sessions by tier. */
const stats = z.union([
  z
    .object({
      l2: z.object({ state: z.string() }),
      opens: z.object({ l1: count, l2: count, database: count, none: count }),
    })
    .transform(({ l2, opens }) => ({ ...opens, hasL2: l2.state !== 'off' })),
  // Without a tier between memory and database.
  z
    .object({ l1: z.object({ hits: count, misses: count }) })
    .transform(({ l1 }) => ({ l1: l1.hits, l2: 0, database: l1.misses, none: 0, hasL2: false })),
]);

/** Number of opened sessions by the tier in which they were found; `none`: new sessions. */
export type TierOpens = z.output<typeof stats>;

export async function readTierOpens(app: NestFastifyApplication, adminKey: string): Promise<TierOpens> {
  const { statusCode, body } = await app.inject({
    method: 'GET',
    url: '/v1/sessions/stats',
    headers: { authorization: `Bearer ${adminKey}` },
  });
  if (statusCode !== 200) throw new Error(`no session statistics: ${statusCode} ${body}`);
  return stats.parse(JSON.parse(body));
}
