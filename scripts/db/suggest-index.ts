import type { QueryShape } from './query-shape.js';

export type IndexKey = Readonly<Record<string, 1 | -1>>;

/**
 * The key of an index that serves a shape: fields compared for equality, then the order, then fields within a range. Of the equalities
 * `tenantId` comes first, as in every index of ours, and flags last. Undefined when no condition could use one, or when the shape asks
 * for an `_id`.
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

/** Whether an index that is there already begins with the fields of `key`, in one direction or wholly in the other. */
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

/** `{ tenantId: 1, at: -1 }`. */
export const keyText = (key: IndexKey): string =>
  `{ ${Object.entries(key)
    .map(([field, direction]) => `${/^[\w$]+$/.test(field) ? field : JSON.stringify(field)}: ${direction}`)
    .join(', ')} }`;
