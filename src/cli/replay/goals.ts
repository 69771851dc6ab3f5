import { isDeepStrictEqual } from 'node:util';
import type { StateEntry, Turn } from '../dialogues.js';

/** A goal without its generated id. */
export interface PlainGoal {
  type: string;
  slots: Record<string, unknown>;
}

export const goalType = ({ service, intent }: StateEntry): string => `${service}/${intent}`;

/**
 * The goals after a user turn reached `state`: each entry is kept as the goal of its type with the newest slots. A goal that
 * the state no longer speaks of stays: what a participant once wanted is remembered to the end.
 */
export function goalsAfter(goals: readonly PlainGoal[], state: readonly StateEntry[]): PlainGoal[] {
  const byType = new Map(goals.map((goal) => [goal.type, goal]));
  for (const entry of state) byType.set(goalType(entry), { type: goalType(entry), slots: entry.slots });
  return [...byType.values()];
}

/** The goals with which a dialogue ends. */
export const finalGoals = (turns: readonly Turn[]): PlainGoal[] =>
  turns.reduce<PlainGoal[]>((goals, { state }) => (state ? goalsAfter(goals, state) : goals), []);

/** One sentence for each difference, none when both hold the same goals; their order and their ids do not count. */
export function goalDifferences(expected: readonly PlainGoal[], found: readonly PlainGoal[]): string[] {
  const differences: string[] = [];
  for (const goal of expected) {
    const same = found.filter(({ type }) => type === goal.type);
    if (same.length !== 1)
      differences.push(`goal ${goal.type} is there ${same.length} times instead of once`);
    else if (!isDeepStrictEqual(same[0]?.slots, goal.slots))
      differences.push(
        `goal ${goal.type} has slots ${JSON.stringify(same[0]?.slots)} instead of ${JSON.stringify(goal.slots)}`,
      );
  }
  const types = new Set(expected.map(({ type }) => type));
  for (const { type } of found) if (!types.has(type)) differences.push(`goal ${type} was never set`);
  return differences;
}
