import { isDeepStrictEqual } from 'node:util';
import type { StateEntry, Turn } from '../dialogues.js';

/** A goal without its generated id. */
export interface PlainGoal {
  type: string;
  slots: Record<string, unknown>;
}

export const goalType = ({ service, intent }: StateEntry): string => `${service}/${intent}`;

/**
 * Returns the goals after a user turn with `state`. Each entry becomes the goal of its type, with the newest
 * slots. Goals that the state no longer mentions are kept until the end.
 */
export function goalsAfter(goals: readonly PlainGoal[], state: readonly StateEntry[]): PlainGoal[] {
  const byType = new Map(goals.map((goal) => [goal.type, goal]));
  for (const entry of state) byType.set(goalType(entry), { type: goalType(entry), slots: entry.slots });
  return [...byType.values()];
}

/** Returns the goals at the end of a dialogue. */
export const finalGoals = (turns: readonly Turn[]): PlainGoal[] =>
  turns.reduce<PlainGoal[]>((goals, { state }) => (state ? goalsAfter(goals, state) : goals), []);

/** Describes each difference between the goals in one sentence. Order and ids are ignored. */
export function goalDifferences(expected: readonly PlainGoal[], found: readonly PlainGoal[]): string[] {
  const differences: string[] = [];
  for (const goal of expected) {
    const same = found.filter(({ type }) => type === goal.type);
    if (same.length !== 1) differences.push(`goal ${goal.type} exists ${same.length} times instead of once`);
    else if (!isDeepStrictEqual(same[0]?.slots, goal.slots))
      differences.push(
        `goal ${goal.type} has slots ${JSON.stringify(same[0]?.slots)} instead of ${JSON.stringify(goal.slots)}`,
      );
  }
  const types = new Set(expected.map(({ type }) => type));
  for (const { type } of found) if (!types.has(type)) differences.push(`goal ${type} was never set`);
  return differences;
}
