import type { z } from 'zod';
import { updateConversationBody } from './conversation.dto.js';
import {
  appendMessagesBody,
  conversationMessagesQuery,
  inboundMessageBody,
  messagesQuery,
} from './message.dto.js';

const problems = (schema: z.ZodType, value: unknown): string[] =>
  (schema.safeParse(value).error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`);

const append = (message: object): string[] =>
  problems(appendMessagesBody, { messages: [{ role: 'user', content: 'hi', ...message }] });

const attachment = { type: 'image', url: 'https://cdn.example.com/a.png' };

describe('appendMessagesBody', () => {
  it('fills in defaults', () => {
    expect(appendMessagesBody.parse({ messages: [{ role: 'tool', content: '{}' }] }).messages).toEqual([
      { role: 'tool', content: '{}', attachments: [], metadata: {} },
    ]);
  });

  it('measures content in bytes of UTF-8, not characters', () => {
    expect(append({ content: 'x'.repeat(65_536) })).toEqual([]);
    expect(append({ content: 'é'.repeat(32_768) })).toEqual([]);
    const tooLong = ['messages.0.content: must be at most 65536 bytes of UTF-8'];
    expect(append({ content: 'x'.repeat(65_537) })).toEqual(tooLong);
    expect(append({ content: 'é'.repeat(32_769) })).toEqual(tooLong);
  });

  it('accepts an empty message', () => {
    expect(append({ content: '' })).toEqual([]);
  });

  it.each([
    [{ role: 'robot' }, 'messages.0.role: '],
    [{ role: { $gt: '' } }, 'messages.0.role: '],
    [{ content: { $gt: '' } }, 'messages.0.content: '],
    [{ content: 'half a pair \ud800' }, 'messages.0.content: must be well-formed Unicode text'],
    [{ externalId: 'x'.repeat(257) }, 'messages.0.externalId: '],
    [{ externalId: { $ne: null } }, 'messages.0.externalId: '],
    [{ externalId: 'a\nb' }, 'messages.0.externalId: must not contain control characters'],
    [{ metadata: { a: 'x'.repeat(8192) } }, 'messages.0.metadata: must be at most 8192 bytes of JSON'],
    [{ metadata: { $where: '1' } }, 'messages.0.metadata: keys must not begin with "$"'],
    [
      { attachments: Array.from({ length: 21 }, () => attachment) },
      'messages.0.attachments: must contain at most 20 attachments',
    ],
    [{ attachments: [{ type: 'image' }] }, 'messages.0.attachments.0.url: '],
    [
      { attachments: [{ ...attachment, url: 'javascript:alert(1)' }] },
      'messages.0.attachments.0.url: must not be a javascript',
    ],
    [
      { attachments: [{ ...attachment, url: '/a.png' }] },
      'messages.0.attachments.0.url: must be an absolute URL',
    ],
    [{ attachments: [{ ...attachment, size: -1 }] }, 'messages.0.attachments.0.size: '],
    [{ surprise: 1 }, 'messages.0: Unrecognized key: "surprise"'],
  ])('rejects %j', (message, expected) => {
    expect(append(message).join('\n')).toContain(expected);
  });

  it('accepts a message that has only an attachment', () => {
    expect(
      append({ content: '', attachments: [{ ...attachment, name: 'a.png', mime: 'image/png', size: 10 }] }),
    ).toEqual([]);
  });

  it('accepts 1 to 100 messages', () => {
    const many = (count: number): string[] =>
      problems(appendMessagesBody, {
        messages: Array.from({ length: count }, () => ({ role: 'user', content: 'x' })),
      });
    expect(many(0)).toEqual(['messages: must contain at least one message']);
    expect(many(100)).toEqual([]);
    expect(many(101)).toEqual(['messages: must contain at most 100 messages']);
  });

  it('rejects the same externalId twice', () => {
    const message = { role: 'user', content: 'x', externalId: 'a' };
    expect(
      problems(appendMessagesBody, { messages: [message, { ...message, externalId: 'b' }, message] }),
    ).toEqual(['messages.2.externalId: must not be used twice in one request']);
  });
});

describe('inboundMessageBody', () => {
  const inbound = { participantId: '+15550100', channel: 'whatsapp', content: 'hi' };

  it('accepts a plain message', () => {
    expect(inboundMessageBody.parse(inbound)).toEqual({ ...inbound, attachments: [] });
  });

  it.each([
    [{ participantId: { $gt: '' } }, 'participantId'],
    [{ channel: 'WhatsApp' }, 'channel'],
    [{ channel: 'a'.repeat(33) }, 'channel'],
    [{ content: undefined }, 'content'],
    [{ content: '' }, 'content'],
    [{ role: 'user' }, ''],
  ])('rejects %j', (change, path) => {
    expect(problems(inboundMessageBody, { ...inbound, ...change })[0]?.split(':')[0]).toBe(path);
  });
});

describe('queries', () => {
  it('read numbers and dates from text', () => {
    expect(conversationMessagesQuery.parse({ afterSeq: '3', limit: '200' })).toEqual({
      afterSeq: 3,
      limit: 200,
    });
    expect(messagesQuery.parse({ since: '2026-01-02T03:04:05Z', role: 'tool' })).toEqual({
      since: new Date('2026-01-02T03:04:05Z'),
      role: 'tool',
      limit: 50,
    });
  });

  it.each([
    { limit: '0' },
    { limit: '201' },
    { limit: 'x' },
    { afterSeq: '-1' },
    { afterSeq: '1.5' },
    { skip: '1' },
  ])('reject %j', (query) => {
    expect(problems(conversationMessagesQuery, query)).toHaveLength(1);
  });
});

describe('updateConversationBody', () => {
  it('lets null remove the title and members of the metadata', () => {
    const patch = { title: null, metadata: { a: null }, isActive: false };
    expect(updateConversationBody.parse(patch)).toEqual(patch);
  });

  it.each([{ title: 5 }, { title: 'a\u0000b' }, { isActive: 'no' }, { isActive: null }, { channel: 'web' }])(
    'rejects %j',
    (patch) => {
      expect(problems(updateConversationBody, patch)).toHaveLength(1);
    },
  );
});
