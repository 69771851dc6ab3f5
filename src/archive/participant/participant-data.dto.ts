import { z } from 'zod';
import { participantIdParam } from '../../session/index.js';
import type { Receipt } from './participant-eraser.js';

const instant = z.string().meta({ format: 'date-time', example: '2026-11-21T12:00:00.000Z' });
const counts = z.record(z.string(), z.int());
const removed = { conversations: 2, messages: 17, sessions: 1, transcripts: 2, jobs: 0 };

export const receiptSchema = z.object({
  participantId: participantIdParam,
  erasedAt: instant.meta({ description: 'Everything that was stored before this time was erased' }),
  removed: counts.meta({ description: 'Number of erased documents by kind', example: removed }),
  remaining: counts.meta({
    description: 'Counted in the database after the erasure, under the same names: all 0',
    example: { conversations: 0, messages: 0, sessions: 0, transcripts: 0, jobs: 0 },
  }),
  later: z.array(z.object({ what: z.string(), until: instant.nullable() })).meta({
    description: 'What cannot be removed at once, and until when it remains; null: no date is known',
  }),
});
export type ReceiptView = z.output<typeof receiptSchema>;

export const receiptView = ({ erasedAt, later, ...rest }: Receipt): ReceiptView => ({
  ...rest,
  erasedAt: erasedAt.toISOString(),
  later: later.map(({ what, until }) => ({ what, until: until?.toISOString() ?? null })),
});
