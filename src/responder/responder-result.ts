import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { JsonFaultError, parseExactJson, shortened } from '../common/index.js';
import { jsonObject, nullIsAbsent } from '../http/index.js';
import { goalIdParam, goalType, type GoalStatus, MAX_GOALS, MAX_STATE_BYTES } from '../session/index.js';
import { attachments, content, emptyMessage, isNotEmpty, metadata } from './message-content.dto.js';
import { ResponderError, type ResponderResult } from './responder.js';

const statuses = ['active', 'completed', 'cancelled'] as const satisfies readonly GoalStatus[];

const goal = nullIsAbsent(
  z.object({
    id: goalIdParam.default(() => randomUUID()),
    type: goalType,
    status: z.enum(statuses).default('active'),
    slots: jsonObject(MAX_STATE_BYTES).default({}),
  }),
);

/** Schema of a responder's result. An HTTP responder returns it as JSON. */
export const responderResult = nullIsAbsent(
  z.object({
    reply: nullIsAbsent(
      z.object({ content, attachments: attachments.optional(), metadata: metadata.optional() }),
    )
      .refine(isNotEmpty, { ...emptyMessage })
      .nullable(),
    activeGoals: z
      .array(goal)
      .max(MAX_GOALS)
      .refine(
        (goals) => new Set(goals.map(({ id }) => id)).size === goals.length,
        'must not contain two goals with the same id',
      )
      .optional(),
    context: jsonObject(MAX_STATE_BYTES).optional(),
  }),
);

/** Maximum length of one problem in an error message, which may quote keys of the result. */
const MAX_PROBLEM = 200;

const bounded = (text: string): string => shortened(text, MAX_PROBLEM);

/**
 * Converts what code returned to plain JSON: what is stored in the session, in a message and in memory is then
 * the same, and keeps nothing that JSON does not have. The rules for request bodies apply.
 * @throws ResponderError with a message that starts with `whose`
 */
export function toJson(result: unknown, whose: string): unknown {
  try {
    // Undefined for functions and the like, which are no result.
    const text = JSON.stringify(result) as string | undefined;
    return text === undefined ? undefined : parseExactJson(Buffer.from(text));
  } catch (error) {
    const reason = error instanceof JsonFaultError ? error.message : 'cannot be written as JSON.';
    throw new ResponderError(`${whose} ${reason}`, { cause: error });
  }
}

/** @throws ResponderError with a message that starts with `whose` and lists up to five problems */
export function checkResult(result: unknown, whose: string): ResponderResult {
  const checked = responderResult.safeParse(result);
  if (checked.success) return checked.data;
  const problems = checked.error.issues
    .slice(0, 5)
    .map(({ path, message }) =>
      bounded(`${path.map((key) => bounded(String(key))).join('.') || 'it'}: ${message}`),
    );
  throw new ResponderError(`${whose} is not valid: ${problems.join('; ')}.`);
}
