/** A value found in a message, and the range of the folded text from which it was read. */
export interface Reading<Value extends string | number = string | number> {
  value: Value;
  start: number;
  end: number;
}

export const readingOf = <Value extends string | number>(
  match: RegExpExecArray,
  value: Value | undefined,
): Reading<Value> | undefined =>
  value === undefined ? undefined : { value, start: match.index, end: match.index + match[0].length };

/** Returns the value of the first pattern that matches and yields one. */
export function firstReading<Value extends string | number>(
  text: string,
  rules: readonly (readonly [RegExp, (match: RegExpExecArray) => Value | undefined])[],
): Reading<Value> | undefined {
  for (const [pattern, valueOf] of rules) {
    const match = pattern.exec(text);
    const reading = match ? readingOf(match, valueOf(match)) : undefined;
    if (reading) return reading;
  }
  return undefined;
}
