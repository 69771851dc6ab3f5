import { z } from 'zod';

const session = z.object({ version: z.int(), context: z.record(z.string(), z.unknown()) });

const handled = z.object({ conversation: z.object({ id: z.string() }) });

const messagePage = z.object({
  data: z.array(
    z.object({
      seq: z.int(),
      id: z.string(),
      role: z.string(),
      externalId: z.string().nullish(),
      replyTo: z.string().nullable(),
    }),
  ),
  nextCursor: z.string().nullable(),
});

const sharedTier = z.object({
  l2: z.object({ state: z.string(), hits: z.int(), writes: z.int() }),
});

const problem = z.object({ code: z.string() });

export type CountedSession = z.output<typeof session>;
export type CountedMessage = z.output<typeof messagePage>['data'][number];

export const asSession = (body: unknown): CountedSession => session.parse(body);
export const asConversationId = (body: unknown): string => handled.parse(body).conversation.id;
export const asMessages = (body: unknown): z.output<typeof messagePage> => messagePage.parse(body);

/**
 * The state of Redis that a process reports in `GET /v1/sessions/stats`; undefined if it has no Redis tier.
 */
export const sharedTierOf = (stats: unknown): z.output<typeof sharedTier>['l2'] | undefined =>
  sharedTier.safeParse(stats).data?.l2;

/** The `code` of a problem document; undefined if the body is not a problem document. */
export const codeOf = (body: unknown): string | undefined => problem.safeParse(body).data?.code;
