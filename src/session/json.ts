type JsonObject = Record<string, unknown>;

export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `__proto__` as a key of data would become the prototype of whatever it is copied into; no data is kept under it. */
export const isUnsafeKey = (key: string): boolean => key === '__proto__';

export const dropUnsafe = (key: string, value: unknown): unknown => (isUnsafeKey(key) ? undefined : value);

/** The data of a JSON text; undefined when it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text, dropUnsafe);
  } catch {
    return undefined;
  }
}
