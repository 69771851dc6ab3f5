import type { Goal } from '../../session/index.js';
import type { ClosingGoal } from './conversation-transcript.queue.js';
import { excerpt } from './excerpt.js';

/** The most recent goals are kept. */
const MAX_GOALS = 20;
const MAX_SLOTS = 8;
const MAX_NAME = 64;
const MAX_VALUE = 80;

/**
 * A slot's value as short text. Undefined for values that have no readable form: objects, lists of objects,
 * and empty values.
 */
function textOf(value: unknown): string | undefined {
  if (Array.isArray(value)) {
    const texts = value.map(textOf);
    return texts.length > 0 && texts.every((text) => text !== undefined)
      ? excerpt(texts.join(', '), MAX_VALUE)
      : undefined;
  }
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') return undefined;
  return excerpt(String(value), MAX_VALUE) || undefined;
}

/**
 * Reduces a session's goals to what a summary may mention: type, final status, and the first slots that have
 * a readable value.
 */
export const closingGoals = (goals: readonly Goal[]): ClosingGoal[] =>
  goals.slice(-MAX_GOALS).map(({ type, status, slots }) => ({
    type: excerpt(type, MAX_NAME),
    status,
    slots: Object.entries(slots)
      .flatMap(([name, value]): [string, string][] => {
        const text = textOf(value);
        return text === undefined ? [] : [[excerpt(name, MAX_NAME), text]];
      })
      .slice(0, MAX_SLOTS),
  }));
