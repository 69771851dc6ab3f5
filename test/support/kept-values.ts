import { isDeepStrictEqual } from 'node:util';
import { type JsonSchema, structureOf } from './json-schema.js';

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What a JSON text says. The sign of -0 is not kept. */
export const meaningOf = (json: string): unknown =>
  JSON.parse(json, (_key, value: unknown) => (value === 0 ? 0 : value));

/** Whether an object in a JSON text has a key twice, so that nothing may accept it. */
export function hasRepeatedKey(json: string): boolean {
  const keys = [...json.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/gs)].filter(([, colon]) => colon !== undefined);
  const count = (value: unknown): number =>
    typeof value !== 'object' || value === null
      ? 0
      : Object.values(value).reduce<number>(
          (sum, member) => sum + count(member),
          Array.isArray(value) ? 0 : Object.keys(value).length,
        );
  return keys.length !== count(JSON.parse(json));
}

/** RFC 7396 in its own words. */
function merged(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const result = new Map(isObject(target) ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch))
    if (value === null) result.delete(name);
    else result.set(name, merged(result.get(name), value));
  return Object.fromEntries(result);
}

const shown = (value: unknown): string => (JSON.stringify(value) ?? 'undefined').slice(0, 500);

/**
 * Compares each member of a body that was accepted with the same member of what is read back.
 * @param before for a merge patch: what was stored before it
 */
export function* differences(
  given: JsonSchema,
  sent: unknown,
  kept: unknown,
  before?: unknown,
  path: readonly string[] = [],
): Generator<string> {
  const schema = structureOf(given);
  const { properties, items, format, additionalProperties } = schema;
  const of = (value: unknown, name: string): unknown => (isObject(value) ? value[name] : undefined);
  if (properties && isObject(sent)) {
    for (const [name, member] of Object.entries(sent))
      yield* differences(
        properties[name] ?? {},
        member,
        of(kept, name),
        before === undefined ? undefined : (of(before, name) ?? {}),
        [...path, name],
      );
    return;
  }
  if (items && Array.isArray(sent)) {
    const found: unknown[] = Array.isArray(kept) ? kept : [];
    if (found.length !== sent.length) yield `${path.join('.')}: ${sent.length} sent, ${found.length} kept`;
    for (const [at, item] of sent.entries())
      yield* differences(items, item, found[at], undefined, [...path, String(at)]);
    return;
  }
  const isFree = additionalProperties !== undefined && additionalProperties !== false;
  let expected = sent;
  // Null removes everything in a merge patch; otherwise it is absent, and there may be a default.
  if (sent === null) expected = before === undefined ? kept : isFree ? {} : items ? [] : null;
  else if (isFree && before !== undefined) expected = merged(before, sent);
  const isSame =
    format === 'date-time'
      ? Date.parse(String(kept)) === Date.parse(String(expected))
      : isDeepStrictEqual(kept, expected);
  if (!isSame) yield `${path.join('.')}: ${shown(expected)} became ${shown(kept)}`;
}
