import { z } from 'zod';

const acked = z.object({ id: z.string(), seq: z.int() });

const handled = z
  .object({ conversation: z.object({ id: z.string() }), message: acked, reply: acked })
  .transform(({ conversation, message, reply }) => ({ conversationId: conversation.id, message, reply }));

const versioned = z.object({ version: z.int() });

const countedConversation = z.object({ id: z.string(), messageCount: z.int() });

const conversationPage = z.object({ data: z.array(countedConversation), nextCursor: z.string().nullable() });

const valueSession = z.object({
  version: z.int(),
  activeGoals: z.array(z.object({ type: z.string(), slots: z.record(z.string(), z.unknown()) })),
  context: z.record(z.string(), z.unknown()),
});

export type CountedConversation = z.output<typeof countedConversation>;
export type ValueSession = z.output<typeof valueSession>;

export const asHandled = (body: unknown): z.output<typeof handled> => handled.parse(body);
export const asVersioned = (body: unknown): z.output<typeof versioned> => versioned.parse(body);
export const asConversation = (body: unknown): CountedConversation => countedConversation.parse(body);
export const asConversationPage = (body: unknown): z.output<typeof conversationPage> =>
  conversationPage.parse(body);
export const asValueSession = (body: unknown): ValueSession => valueSession.parse(body);
