import type { StoredState } from './session.repository.js';

/** The content of a session's JSON text. */
export type StateContent = Pick<StoredState, 'activeGoals' | 'context'>;

/**
 * Holds the JSON text of a state from its creation until the shared tier has taken it, so that states in
 * memory do not keep it.
 */
const texts = new WeakMap<StoredState, string>();

export const textOf = ({ activeGoals, context }: StateContent): string =>
  JSON.stringify({ activeGoals, context });

export function rememberText(state: StoredState, text: string): void {
  texts.set(state, text);
}

/**
 * Returns the JSON text of goals and context, and forgets it. Serializes the state if no text is remembered.
 */
export function takeText(state: StoredState): string {
  const text = texts.get(state);
  texts.delete(state);
  return text ?? textOf(state);
}

/** Length of the remembered JSON text, or 0. */
export const textLength = (state: StoredState): number => texts.get(state)?.length ?? 0;

/**
 * Must be called once a state is kept in memory. Otherwise its text would live as long as the state without
 * being counted.
 */
export function forgetText(state: StoredState): void {
  texts.delete(state);
}
