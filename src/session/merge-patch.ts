import { isJsonObject, isUnsafeKey } from './json.js';

/**
 * JSON merge patch, RFC 7396: members of `patch` replace those of `target`, objects are merged member by member, null removes a
 * member, arrays and other values replace as a whole. Neither argument is changed. Members named `__proto__` are ignored.
 */
export function mergePatch(
  target: unknown,
  patch: Readonly<Record<string, unknown>>,
): Record<string, unknown>;
export function mergePatch(target: unknown, patch: unknown): unknown;
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isJsonObject(patch)) return patch;
  const merged = new Map(isJsonObject(target) ? Object.entries(target) : []);
  for (const [key, value] of Object.entries(patch)) {
    if (isUnsafeKey(key)) continue;
    if (value === null) merged.delete(key);
    else merged.set(key, mergePatch(merged.get(key), value));
  }
  return Object.fromEntries(merged);
}
