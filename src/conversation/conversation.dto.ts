import { z } from 'zod';
import { nullIsAbsent, pageLimit, visibleText } from '../http/index.js';
import { channel, metadata } from '../responder/index.js';
import { participantIdParam as participantId } from '../session/index.js';
import type { ConversationRecord } from './conversation.schema.js';

const title = visibleText(256)
  .regex(/^[^\p{Cc}\p{Surrogate}]+$/u, 'must not contain control characters')
  .meta({ example: 'Table for Friday' });

export const createConversationBody = nullIsAbsent(
  z.strictObject({
    participantId,
    channel,
    title: title.optional(),
    metadata: metadata.default({}),
  }),
).meta({ example: { participantId: '+15550100', channel: 'whatsapp', title: 'Table for Friday' } });
export type CreateConversationBody = z.output<typeof createConversationBody>;

export const updateConversationBody = z
  .strictObject({
    title: title.nullable().optional().meta({ description: 'null removes it' }),
    isActive: z.boolean().optional().meta({ description: 'false: no messages can be added' }),
    metadata: metadata
      .nullable()
      .optional()
      .meta({ description: 'Merged key by key; null removes a key, or all metadata' }),
  })
  .meta({
    description: 'JSON merge patch (RFC 7396)',
    example: { isActive: false, metadata: { closedBy: 'bot' } },
  });
export type UpdateConversationBody = z.output<typeof updateConversationBody>;

export const conversationsQuery = z.strictObject({
  participantId: participantId.optional(),
  channel: channel.optional(),
  active: z
    .enum(['true', 'false'], 'must be true or false')
    .transform((text) => text === 'true')
    .optional(),
  order: z
    .enum(['created', 'updated'])
    .default('created')
    .meta({
      description:
        'created: newest first; paging returns each conversation exactly once, regardless of concurrent ' +
        'writes. updated: most recently updated first; a conversation that is updated moves to the front, ' +
        'so paging may miss it. A cursor is valid only for the order that returned it',
    }),
  limit: pageLimit,
  cursor: z.string().max(200).optional(),
});
export type ConversationsQuery = z.output<typeof conversationsQuery>;

const instant = z.string().meta({ format: 'date-time' });

export const conversationViewSchema = z
  .object({
    id: z.string(),
    participantId: z.string(),
    channel: z.string(),
    title: z.string().nullable(),
    isActive: z.boolean(),
    metadata: z.record(z.string(), z.unknown()),
    sessionId: z.string().nullable(),
    messageCount: z.int(),
    lastSeq: z.int(),
    lastMessageAt: instant.nullable(),
    closedAt: instant.nullable(),
    transcriptId: z
      .string()
      .nullable()
      .meta({ description: 'The transcript created when the conversation was last closed' }),
    createdAt: instant,
    updatedAt: instant,
  })
  .meta({
    example: {
      id: '6740a1b2c3d4e5f601234567',
      participantId: '+15550100',
      channel: 'whatsapp',
      title: 'Table for Friday',
      isActive: true,
      metadata: {},
      sessionId: null,
      messageCount: 2,
      lastSeq: 2,
      lastMessageAt: '2026-11-21T12:00:00.000Z',
      closedAt: null,
      transcriptId: null,
      createdAt: '2026-11-21T11:59:00.000Z',
      updatedAt: '2026-11-21T12:00:00.000Z',
    },
  });
export type ConversationView = z.output<typeof conversationViewSchema>;

export const conversationView = (conversation: ConversationRecord): ConversationView => ({
  id: conversation._id.toHexString(),
  participantId: conversation.participantId,
  channel: conversation.channel,
  title: conversation.title ?? null,
  isActive: conversation.isActive,
  metadata: conversation.metadata,
  sessionId: conversation.sessionId?.toHexString() ?? null,
  messageCount: conversation.messageCount,
  lastSeq: conversation.lastSeq,
  lastMessageAt: conversation.lastMessageAt?.toISOString() ?? null,
  closedAt: conversation.closedAt?.toISOString() ?? null,
  transcriptId: conversation.closing?.transcriptId.toHexString() ?? null,
  createdAt: conversation.createdAt.toISOString(),
  updatedAt: conversation.updatedAt.toISOString(),
});

export const conversationPageSchema = z.object({
  data: z.array(conversationViewSchema),
  nextCursor: z.string().nullable(),
});
