import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { z } from 'zod';

const tier = z.object({ hits: z.number(), misses: z.number() });

/** What `GET /v1/sessions/stats` tells of the tiers; `l2` only where there is a Redis. */
const tiers = z.object({ l1: tier, l2: tier.nullish() });

export type Tiers = z.output<typeof tiers>;

export async function readTiers(app: NestFastifyApplication, adminKey: string): Promise<Tiers> {
  const { statusCode, body } = await app.inject({
    method: 'GET',
    url: '/v1/sessions/stats',
    headers: { authorization: `Bearer ${adminKey}` },
  });
  if (statusCode !== 200) throw new Error(`no statistics of sessions: ${statusCode} ${body}`);
  return tiers.parse(JSON.parse(body));
}
