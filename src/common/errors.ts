/** Returns the message of a thrown value of any type. */
export const messageOf = (thrown: unknown): string =>
  thrown instanceof Error ? thrown.message : String(thrown);

/** Like `messageOf`, but with the stack if there is one. For faults of this program. */
export const stackOf = (thrown: unknown): string =>
  thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);

/** Converts a thrown value to an error. */
export const asError = (thrown: unknown): Error =>
  thrown instanceof Error ? thrown : new Error(String(thrown));

/** An error whose message says what an operator can do. Commands print it without a stack. */
export class OperatorError extends Error {}
