import { z } from 'zod';

const session = z.object({ version: z.int(), context: z.record(z.string(), z.unknown()) });

const handled = z.object({ conversation: z.object({ id: z.string() }) });

const messagePage = z.object({
  data: z.array(z.object({ seq: z.int(), role: z.string(), externalId: z.string().nullish() })),
  nextCursor: z.string().nullable(),
});

const problem = z.object({ code: z.string() });

export type CountedSession = z.output<typeof session>;
export type CountedMessage = z.output<typeof messagePage>['data'][number];

export const asSession = (body: unknown): CountedSession => session.parse(body);
export const asConversationId = (body: unknown): string => handled.parse(body).conversation.id;
export const asMessages = (body: unknown): z.output<typeof messagePage> => messagePage.parse(body);

/** The `code` of a problem document; undefined when the body is none. */
export const codeOf = (body: unknown): string | undefined => problem.safeParse(body).data?.code;
