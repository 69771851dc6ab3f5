import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { z } from 'zod';

const count = z.int().nonnegative();

/** What `GET /v1/sessions/stats` says about where sessions were found, by the tier that answered. */
const stats = z.union([
  z
    .object({
      l2: z.object({ state: z.string() }),
      opens: z.object({ l1: count, l2: count, database: count, none: count }),
    })
    .transform(({ l2, opens }) => ({ ...opens, hasL2: l2.state !== 'off' })),
  // With no tier between memory and database.
  z
    .object({ l1: z.object({ hits: count, misses: count }) })
    .transform(({ l1 }) => ({ l1: l1.hits, l2: 0, database: l1.misses, none: 0, hasL2: false })),
]);

/** Opens of sessions by the tier that had it; `none`: there was no such session yet. */
export type TierOpens = z.output<typeof stats>;

export async function readTierOpens(app: NestFastifyApplication, adminKey: string): Promise<TierOpens> {
  const { statusCode, body } = await app.inject({
    method: 'GET',
    url: '/v1/sessions/stats',
    headers: { authorization: `Bearer ${adminKey}` },
  });
  if (statusCode !== 200) throw new Error(`no statistics of sessions: ${statusCode} ${body}`);
  return stats.parse(JSON.parse(body));
}
