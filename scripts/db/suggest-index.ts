import type { QueryShape } from './query-shape.js';

export type IndexKey = Readonly<Record<string, 1 | -1>>;

/**
 * Suggests the key of an index for a shape: fields with equality conditions, then the sort fields, then
 * fields with range conditions. Among the equality fields `tenantId` comes first, as in all our indexes, and
 * boolean flags come last. Undefined when no condition could use an index, or when the query selects by
 * `_id`.
 */
export function suggestedKey({ conditions, sort }: QueryShape): IndexKey | undefined {
  const equal = conditions.filter(({ kind }) => kind === 'equality');
  if (equal.some(({ field }) => field === '_id')) return undefined;
  const rank = ({ field, isFlag = false }: { field: string; isFlag?: boolean }): number =>
    field === 'tenantId' ? 0 : isFlag ? 2 : 1;
  const key: Record<string, 1 | -1> = {};
  for (const { field } of [...equal].sort((a, b) => rank(a) - rank(b))) key[field] = 1;
  for (const [field, direction] of Object.entries(sort)) key[field] ??= direction;
  for (const { field, kind } of conditions) if (kind === 'range') key[field] ??= 1;
  const fields = Object.keys(key);
  return fields.length === 0 || (fields.length === 1 && fields[0] === '_id') ? undefined : key;
}

/**
 * Whether an existing index starts with the fields of `key`, in the same or the completely reversed
 * direction.
 */
export function isServed(key: IndexKey, existing: readonly Readonly<Record<string, unknown>>[]): boolean {
  const wanted = Object.entries(key);
  return existing.some((index) => {
    const fields = Object.entries(index).slice(0, wanted.length);
    return ([1, -1] as const).some((way) =>
      wanted.every(
        ([field, direction], at) => fields[at]?.[0] === field && Number(fields[at]?.[1]) === direction * way,
      ),
    );
  });
}

/** Renders a key, for example `{ tenantId: 1, at: -1 }`. */
export const keyText = (key: IndexKey): string =>
  `{ ${Object.entries(key)
    .map(([field, direction]) => `${/^[\w$]+$/.test(field) ? field : JSON.stringify(field)}: ${direction}`)
    .join(', ')} }`;
