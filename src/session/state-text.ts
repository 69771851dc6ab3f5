import type { StoredState } from './session.repository.js';

/** What a session's JSON text holds. */
export type StateContent = Pick<StoredState, 'activeGoals' | 'context'>;

/** Texts on their way from the making of a state to the shared tier; kept beside it, so that no state in memory holds one. */
const texts = new WeakMap<StoredState, string>();

export const textOf = ({ activeGoals, context }: StateContent): string =>
  JSON.stringify({ activeGoals, context });

export function rememberText(state: StoredState, text: string): void {
  texts.set(state, text);
}

/** The JSON text of goals and context: that which the state was made from, once, else made again. */
export function takeText(state: StoredState): string {
  const text = texts.get(state);
  texts.delete(state);
  return text ?? textOf(state);
}

/** Length of the JSON text of goals and context, while it is remembered. */
export const textLength = (state: StoredState): number => texts.get(state)?.length ?? 0;

/** To be called once a state is kept: a text that nobody took would live as long as the state, and count nowhere. */
export function forgetText(state: StoredState): void {
  texts.delete(state);
}
