import { z } from 'zod';
import { MAX_JSON_VALUES } from '../common/index.js';
import { jsonObject, nullIsAbsent } from '../http/index.js';
import type { ResponderSettings } from './responder-settings.service.js';

/** Maximum size of a stored configuration, bytes of JSON. */
const MAX_CONFIG_BYTES = 256 * 1024;

/** Longest time that a message waits for further ones, milliseconds. */
export const MAX_DEBOUNCE_MS = 30_000;

export const putResponderBody = nullIsAbsent(
  z.strictObject({
    type: z.string().min(1).max(64).meta({ description: 'Type of an installed responder', example: 'http' }),
    config: jsonObject(MAX_CONFIG_BYTES, MAX_JSON_VALUES).meta({
      description: 'Settings of the responder type. Omitted secrets keep their stored value.',
    }),
    debounceMs: z
      .int()
      .min(0)
      .max(MAX_DEBOUNCE_MS)
      .default(0)
      .meta({
        description:
          'Messages of a conversation that follow each other within this time, in milliseconds, get one ' +
          'reply together: each message is stored at once, and the responder is called for the last one. ' +
          '0 or absent: every message is answered on its own.',
      }),
  }),
).meta({
  example: {
    type: 'http',
    config: { url: 'https://bot.example.com/colloquy', secret: 'a-long-random-secret', historyLimit: 10 },
    debounceMs: 3000,
  },
});
export type PutResponderBody = z.output<typeof putResponderBody>;

export const responderViewSchema = z
  .object({
    type: z.string(),
    config: z.record(z.string(), z.unknown()).meta({ description: 'Without secrets' }),
    secretHints: z
      .record(z.string(), z.string())
      .meta({ description: 'The last characters of each stored secret' }),
    debounceMs: z.int().meta({ description: '0: every message is answered on its own' }),
    isDefault: z.boolean().meta({ description: 'true: no responder was chosen, and this is the default' }),
    updatedAt: z.string().nullable().meta({ format: 'date-time' }),
  })
  .meta({
    example: {
      type: 'http',
      config: { url: 'https://bot.example.com/colloquy', historyLimit: 10 },
      secretHints: { secret: '…cret' },
      debounceMs: 3000,
      isDefault: false,
      updatedAt: '2026-11-21T12:00:00.000Z',
    },
  });
export type ResponderView = z.output<typeof responderViewSchema>;

export const responderView = ({ updatedAt, ...settings }: ResponderSettings): ResponderView => ({
  ...settings,
  updatedAt: updatedAt?.toISOString() ?? null,
});
