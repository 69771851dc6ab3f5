import { Types } from 'mongoose';
import { deepFreeze } from '../common/index.js';
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

/** What is not stored yet has version 0 and no id. */
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
 * The state that follows `state` by `changes`, one version on. Goals and context become plain JSON, so that memory holds what a
 * read from the database would give.
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
  if (bytes > MAX_STATE_BYTES) throw sessionTooLarge(bytes);
  // `stringify` escapes no letter of it, and a reviver is called for each value.
  const reviver = text.includes('"__proto__"') ? dropUnsafe : undefined;
  const plain = JSON.parse(text, reviver) as Pick<SessionState, 'activeGoals' | 'context'>;
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
 * Keeps MAX_FINISHED_GOALS of the finished goals. Those that were finished before this change go first, in order of addition: a
 * goal that is finished now is still to be seen in the answer.
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
