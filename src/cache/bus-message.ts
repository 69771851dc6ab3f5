import { z } from 'zod';

/** What processes publish: an entry was deleted, or a tenant has a new generation. */
const busMessage = z.union([
  z.object({ key: z.string() }),
  z.object({ tenantId: z.string(), generation: z.string().regex(/^\d{1,16}$/) }),
]);

export type BusMessage = z.infer<typeof busMessage>;

/** Undefined for anything else: whoever has access to Redis may publish on the channel. */
export const busMessageOf = (message: unknown): BusMessage | undefined => busMessage.safeParse(message).data;
