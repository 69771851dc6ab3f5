type JsonObject = Record<string, unknown>;

export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Assigning `__proto__` would change the prototype of the object that data is copied into, so it is never
 * kept as a key.
 */
export const isUnsafeKey = (key: string): boolean => key === '__proto__';

export const dropUnsafe = (key: string, value: unknown): unknown => (isUnsafeKey(key) ? undefined : value);

/** Parses JSON. Returns undefined if the text is invalid. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text, dropUnsafe);
  } catch {
    return undefined;
  }
}
