import { z } from 'zod';
import type { Scope } from './generations.js';

/** What processes tell each other: a scope's new generation, or that an entry was deleted or replaced. */
export interface BusMessage {
  /** The process that tells it. */
  from: string;
  scope?: Scope | undefined;
  generation?: string | undefined;
  key?: string | undefined;
}

const busMessage = z.object({
  from: z.string(),
  scope: z.object({ tenantId: z.string(), tag: z.string().optional() }).optional(),
  generation: z
    .string()
    .regex(/^\d{1,16}$/)
    .optional(),
  key: z.string().optional(),
});

/** Undefined for what is none: anyone may publish on a channel of Redis. */
export function busMessageOf(text: string): BusMessage | undefined {
  try {
    return busMessage.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
