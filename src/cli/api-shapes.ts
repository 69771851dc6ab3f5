import { z } from 'zod';

/** The parts of Colloquy's responses that the replay reads; all other fields are ignored. */
const created = z.object({ id: z.string() });

const storedMessage = z.object({
  id: z.string(),
  seq: z.int(),
  role: z.string(),
  content: z.string(),
  externalId: z.string().nullish(),
  replyTo: z.string().nullish(),
});

const messagePage = z.object({ data: z.array(storedMessage), nextCursor: z.string().nullable() });

const session = z.object({
  activeGoals: z.array(
    z.object({ id: z.string(), type: z.string(), slots: z.record(z.string(), z.unknown()) }),
  ),
});

const tenantWithKey = z.object({ apiKey: z.string() });

export type StoredMessage = z.output<typeof storedMessage>;
export type MessagePage = z.output<typeof messagePage>;
export type StoredSession = z.output<typeof session>;

export const asCreated = (body: unknown): { id: string } => created.parse(body);
export const asMessagePage = (body: unknown): MessagePage => messagePage.parse(body);
export const asAppended = (body: unknown): StoredMessage[] =>
  z.object({ data: z.array(storedMessage) }).parse(body).data;
export const asSession = (body: unknown): StoredSession => session.parse(body);
export const asTenantKey = (body: unknown): string => tenantWithKey.parse(body).apiKey;
