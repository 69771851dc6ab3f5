import { Types } from 'mongoose';
import { deepFreeze } from '../common/index.js';
import { countValues, MAX_OBJECT_VALUES } from '../http/index.js';
import { dropUnsafe } from './json.js';
import { sessionTooLarge, tooManyGoals } from './session.errors.js';
import type { StoredState } from './session.repository.js';
import { rememberText, textOf } from './state-text.js';
import {
  type Goal,
  MAX_FINISHED_GOALS,
  MAX_GOALS,
  MAX_STATE_BYTES,
  type SessionChanges,
  type SessionState,
} from './session.types.js';

/** Creates a state that is not stored yet: version 0, without an id. */
export function freshState(
  tenantId: string,
  participantId: string,
  now: Date,
  retentionMs: number,
): SessionState {
  return Object.freeze({
    id: null,
    tenantId,
    participantId,
    version: 0,
    activeGoals: deepFreeze([]),
    context: deepFreeze({}),
    conversationId: null,
    createdAt: now,
    updatedAt: now,
    expiresAt: new Date(now.getTime() + retentionMs),
  });
}

/**
 * Applies `changes` to `state` and returns the next version. Goals and context are converted to plain JSON,
 * so that memory holds the same values as a read from the database.
 * @throws ProblemError 413 `session_too_large`, 400 `too_many_goals`
 */
export function nextState(
  state: SessionState,
  changes: SessionChanges,
  now: Date,
  retentionMs: number,
): StoredState {
  const activeGoals = changes.activeGoals
    ? withoutOldFinished(changes.activeGoals, state.activeGoals)
    : state.activeGoals;
  if (activeGoals.length > MAX_GOALS) throw tooManyGoals(activeGoals.length);
  const text = textOf({ activeGoals, context: changes.context ?? state.context });
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_STATE_BYTES) throw sessionTooLarge(MAX_STATE_BYTES, 'bytes of JSON', bytes);
  // `JSON.stringify` does not escape the letters of the key, so this check is reliable. It avoids calling a
  // reviver for each value.
  const reviver = text.includes('"__proto__"') ? dropUnsafe : undefined;
  const plain = JSON.parse(text, reviver) as Pick<SessionState, 'activeGoals' | 'context'>;
  const values = countValues(plain);
  if (values > MAX_OBJECT_VALUES) throw sessionTooLarge(MAX_OBJECT_VALUES, 'values and keys', values);
  const next = Object.freeze({
    ...state,
    ...deepFreeze(plain),
    id: state.id ?? new Types.ObjectId().toHexString(),
    version: state.version + 1,
    conversationId: changes.conversationId === undefined ? state.conversationId : changes.conversationId,
    createdAt: state.id === null ? now : state.createdAt,
    updatedAt: now,
    expiresAt: new Date(now.getTime() + retentionMs),
  });
  rememberText(next, text);
  return next;
}

const isFinished = ({ status }: Goal): boolean => status !== 'active';

/**
 * Keeps MAX_FINISHED_GOALS of the finished goals. Goals that were already finished before this change are
 * dropped first, oldest first, so that a goal finished by this change remains visible in the response.
 */
export function withoutOldFinished(goals: readonly Goal[], before: readonly Goal[]): readonly Goal[] {
  const finished = goals.filter(isFinished);
  const excess = finished.length - MAX_FINISHED_GOALS;
  if (excess <= 0) return goals;
  const finishedBefore = new Set(before.filter(isFinished).map(({ id }) => id));
  const oldestFirst = [
    ...finished.filter(({ id }) => finishedBefore.has(id)),
    ...finished.filter(({ id }) => !finishedBefore.has(id)),
  ];
  const dropped = new Set(oldestFirst.slice(0, excess));
  return goals.filter((goal) => !dropped.has(goal));
}
