import { z } from 'zod';

/** Published by each process: an entry was deleted, or a tenant has a new generation. */
const busMessage = z.union([
  z.object({ key: z.string() }),
  z.object({ tenantId: z.string(), generation: z.string().regex(/^\d{1,16}$/) }),
]);

export type BusMessage = z.infer<typeof busMessage>;

/** Returns undefined for anything else, because anyone with access to Redis can publish on the channel. */
export const busMessageOf = (message: unknown): BusMessage | undefined => busMessage.safeParse(message).data;
