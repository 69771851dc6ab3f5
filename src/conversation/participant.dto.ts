import { z } from 'zod';
import { pageLimit } from '../http/index.js';
import { participantIdParam } from '../session/index.js';
import type { ParticipantActivity } from './conversation.repository.js';

export const participantsQuery = z.strictObject({
  limit: pageLimit,
  cursor: z.string().max(1000).optional(),
});
export type ParticipantsQuery = z.output<typeof participantsQuery>;

export const participantViewSchema = z.object({
  participantId: participantIdParam,
  conversations: z.int().meta({ description: 'Number of conversations' }),
  lastActivityAt: z.string().meta({
    format: 'date-time',
    description: 'Time of the last message, or of the creation of a conversation without messages',
    example: '2026-11-21T12:00:00.000Z',
  }),
});
export type ParticipantView = z.output<typeof participantViewSchema>;

export const participantPageSchema = z.object({
  data: z.array(participantViewSchema),
  nextCursor: z.string().nullable(),
});

export const participantView = ({ lastActivityAt, ...rest }: ParticipantActivity): ParticipantView => ({
  ...rest,
  lastActivityAt: lastActivityAt.toISOString(),
});
