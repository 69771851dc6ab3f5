import { databaseProblem } from '../database/index.js';
import { ProblemError } from '../http/index.js';
import {
  isResponderFailure as hasResponderFailed,
  ResponderBusyError,
  ResponderError,
  ResponderTimeoutError,
} from '../responder/index.js';
import {
  responderBusy,
  responderFailed,
  responderTimeout,
  withStoredMessage,
} from './conversation.errors.js';
import type { MessageRecord } from './message.schema.js';

/** Problem codes of session limits that a responder's goals or context may exceed. */
const stateLimitCodes = new Set(['session_too_large', 'too_many_goals']);

/** True if the message cannot be answered because of its responder, or of what that returned. */
export const isResponderFailure = (error: unknown): boolean =>
  hasResponderFailed(error) || (error instanceof ProblemError && stateLimitCodes.has(error.problem.code));

/**
 * Converts an error into the problem returned to the client, which says whether the user message has been
 * stored.
 */
export function problemOf(error: unknown, message: MessageRecord | undefined): unknown {
  if (!message) return error;
  const stored = {
    conversationId: message.conversationId.toHexString(),
    messageId: message._id.toHexString(),
    externalId: message.externalId,
  };
  if (error instanceof ResponderBusyError) return responderBusy(error.limit, stored);
  if (error instanceof ResponderTimeoutError) return responderTimeout(error.timeoutMs, stored);
  if (error instanceof ResponderError) return responderFailed(error.message, stored, error);
  if (error instanceof ProblemError && stateLimitCodes.has(error.problem.code))
    return responderFailed(`The responder's result cannot be stored. ${error.message}`, stored, error);
  const problem = error instanceof ProblemError ? error.problem : databaseProblem(error);
  return problem ? withStoredMessage(problem, stored, error) : error;
}
