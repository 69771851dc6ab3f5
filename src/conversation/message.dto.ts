import { z } from 'zod';
import { isoDate, nullIsAbsent, pageLimit } from '../http/index.js';
import {
  attachment,
  attachments,
  channel,
  content,
  emptyMessage,
  externalId,
  isNotEmpty,
  metadata,
} from '../responder/index.js';
import { participantIdParam, sessionViewSchema } from '../session/index.js';
import { conversationViewSchema } from './conversation.dto.js';
import type { MessageRecord } from './message.schema.js';

const MAX_MESSAGES_PER_APPEND = 100;

const role = z.enum(['user', 'assistant', 'system', 'tool']);

/**
 * Appended messages record what was said elsewhere, so their content may be empty. Only an inbound message
 * must have content.
 */
const messageInput = z.strictObject({
  role,
  content,
  attachments: attachments.default([]),
  externalId: externalId.optional(),
  metadata: metadata.default({}),
});
const importedMessage = messageInput.extend({
  timestamp: isoDate.optional().meta({
    description: 'When it was sent: not in the future, and not before the message that precedes it',
    example: '2025-03-01T09:30:00Z',
  }),
});
export type MessageInput = z.output<typeof messageInput> & { timestamp?: Date | undefined };

const listOf = <Schema extends z.ZodObject<{ externalId: z.ZodOptional<z.ZodString> }>>(input: Schema) =>
  z
    .array(nullIsAbsent(input))
    .min(1, 'must contain at least one message')
    .max(MAX_MESSAGES_PER_APPEND, `must contain at most ${MAX_MESSAGES_PER_APPEND} messages`)
    .superRefine((messages, context) => {
      const seen = new Set<string>();
      messages.forEach(({ externalId: id }, index) => {
        if (id === undefined) return;
        if (seen.has(id))
          context.addIssue({
            code: 'custom',
            path: [index, 'externalId'],
            message: 'must not be used twice in one request',
          });
        seen.add(id);
      });
    });

export const appendMessagesBody = z.strictObject({ messages: listOf(messageInput) }).meta({
  example: {
    messages: [
      { role: 'user', content: 'Where is my order?', externalId: 'wamid.41' },
      { role: 'assistant', content: 'It arrives tomorrow.' },
    ],
  },
});
export type AppendMessagesBody = z.output<typeof appendMessagesBody>;

export const importMessagesBody = z.strictObject({ messages: listOf(importedMessage) }).meta({
  example: {
    messages: [{ role: 'user', content: 'Where is my order?', timestamp: '2025-03-01T09:30:00Z' }],
  },
});
export type ImportMessagesBody = z.output<typeof importMessagesBody>;

const seq = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).optional();
const cursor = z.string().max(200).optional();

export const conversationMessagesQuery = z.strictObject({
  afterSeq: seq.meta({ description: 'Only messages with a greater seq' }),
  beforeSeq: seq.meta({
    description: 'Only messages with a smaller seq; without afterSeq, the last of them',
  }),
  limit: pageLimit,
  cursor,
});
export type ConversationMessagesQuery = z.output<typeof conversationMessagesQuery>;

export const messagesQuery = z
  .strictObject({
    externalId: externalId.optional().meta({
      description:
        'Only the messages with this externalId: at most one of each participant and channel. They are listed in a fixed order',
    }),
    channel: channel.optional().meta({ description: 'With externalId: only on this channel' }),
    participantId: participantIdParam
      .optional()
      .meta({ description: 'With externalId and channel: only of this participant' }),
    role: role.optional(),
    since: isoDate.optional().meta({
      description:
        'Inclusive. A message is returned only once no message with an earlier timestamp can still be ' +
        'committed: a client that polls with the newest timestamp it has received misses none. With several ' +
        'API processes this takes one second',
      example: '2026-11-01T00:00:00Z',
    }),
    until: isoDate.optional().meta({ description: 'Exclusive', example: '2026-12-01T00:00:00Z' }),
    limit: pageLimit,
    cursor,
  })
  .refine(({ channel, externalId }) => channel === undefined || externalId !== undefined, {
    path: ['channel'],
    message: 'requires externalId',
  })
  .refine(({ participantId, channel }) => participantId === undefined || channel !== undefined, {
    path: ['participantId'],
    message: 'requires externalId and channel',
  });
export type MessagesQuery = z.output<typeof messagesQuery>;

export const inboundMessageBody = nullIsAbsent(
  z.strictObject({
    participantId: participantIdParam,
    channel,
    content,
    attachments: attachments.default([]),
    externalId: externalId.optional(),
    metadata: metadata.optional().meta({
      description:
        'What the channel says about the message, for example the payload of a button, or the message that is quoted',
    }),
  }),
)
  .refine(isNotEmpty, { ...emptyMessage })
  .meta({
    example: {
      participantId: '+15550100',
      channel: 'whatsapp',
      content: 'I would like to book a table',
      externalId: 'wamid.42',
      metadata: { buttonPayload: 'BOOK_TABLE', quoted: 'wamid.41' },
    },
  });
export type InboundMessageBody = z.output<typeof inboundMessageBody>;

export const editMessageBody = z
  .strictObject({
    content: content.optional(),
    attachments: attachments
      .nullable()
      .optional()
      .meta({ description: 'Replaces all attachments; null removes them' }),
    metadata: metadata.nullable().optional().meta({ description: 'Merge patch; null removes all metadata' }),
  })
  .meta({ example: { content: 'I would like to book a table for five' } });
export type EditMessageBody = z.output<typeof editMessageBody>;

export const messageViewSchema = z
  .object({
    id: z.string(),
    conversationId: z.string(),
    seq: z.int(),
    role,
    content: z.string(),
    attachments: z.array(attachment),
    externalId: z.string().nullable(),
    metadata: z.record(z.string(), z.unknown()),
    replyTo: z
      .string()
      .nullable()
      .meta({ description: 'On a reply: the id of the user message that it replies to' }),
    timestamp: z.string().meta({ format: 'date-time' }),
    editedAt: z.string().optional().meta({ format: 'date-time', description: 'Present if it was edited' }),
    deletedAt: z.string().optional().meta({
      format: 'date-time',
      description: 'Present if it was deleted: it keeps its seq, and its content is empty',
    }),
  })
  .meta({
    example: {
      id: '6740a1b2c3d4e5f601234568',
      conversationId: '6740a1b2c3d4e5f601234567',
      seq: 1,
      role: 'user',
      content: 'I would like to book a table',
      attachments: [],
      externalId: 'wamid.42',
      metadata: {},
      replyTo: null,
      timestamp: '2026-11-21T12:00:00.000Z',
    },
  });
export type MessageView = z.output<typeof messageViewSchema>;

export const messageView = (message: MessageRecord): MessageView => ({
  id: message._id.toHexString(),
  conversationId: message.conversationId.toHexString(),
  seq: message.seq,
  role: message.role,
  content: message.content,
  attachments: message.attachments,
  externalId: message.externalId ?? null,
  metadata: message.metadata,
  replyTo: message.replyTo?.toHexString() ?? null,
  timestamp: message.timestamp.toISOString(),
  ...(message.editedAt && { editedAt: message.editedAt.toISOString() }),
  ...(message.deletedAt && { deletedAt: message.deletedAt.toISOString() }),
});

export const storedMessagesSchema = z.object({ data: z.array(messageViewSchema) });

export const messagePageSchema = z.object({
  data: z.array(messageViewSchema),
  nextCursor: z.string().nullable(),
});

export const processedMessageSchema = z.object({
  conversation: conversationViewSchema,
  message: messageViewSchema,
  reply: messageViewSchema.nullable(),
  coalesced: z
    .literal(true)
    .optional()
    .meta({
      description:
        'Present if the message is answered together with a later one of its burst (`debounceMs`), whose ' +
        'request returns the reply; `reply` is null then',
    }),
  session: sessionViewSchema,
});
