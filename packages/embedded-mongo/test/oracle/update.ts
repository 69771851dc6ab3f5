/**
 * A reference implementation of updates for documents of plain numbers, strings, nulls, arrays and documents,
 * written only from the manual, for comparison in tests. Throws Refused for everything that MongoDB rejects.
 */

export type Plain = number | string | null | Plain[] | { [name: string]: Plain };
export type PlainDoc = Record<string, Plain>;

export class Refused extends Error {}

const refuse = (why: string): never => {
  throw new Refused(why);
};

const isFields = (value: Plain | undefined): value is PlainDoc =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const rank = (value: Plain): number => (value === null ? 0 : typeof value === 'number' ? 1 : 2);
const below = (a: Plain, b: Plain): boolean => {
  if (rank(a) !== rank(b)) return rank(a) < rank(b);
  return typeof a === typeof b && a !== null && b !== null && a < b;
};

const number = (value: Plain | undefined): number =>
  typeof value === 'number' ? value : refuse(`${JSON.stringify(value)} is no number`);

const list = (value: Plain | undefined): Plain[] =>
  Array.isArray(value) ? value : refuse(`${JSON.stringify(value)} is no list`);

type Change = (value: Plain | undefined, argument: never, isInsert: boolean) => Plain | undefined;

interface Push {
  $each: Plain[];
  $position?: number;
  $slice?: number;
  $sort?: 1 | -1;
}

const push = (value: Plain | undefined, { $each, $position, $slice, $sort }: Push): Plain[] => {
  const made = [...(value === undefined ? [] : list(value))];
  // As in splice, a negative position counts from the end.
  made.splice($position ?? made.length, 0, ...$each);
  if ($sort !== undefined) made.sort((a, b) => (below(a, b) ? -1 : below(b, a) ? 1 : 0) * $sort);
  if ($slice === undefined) return made;
  return $slice < 0 ? made.slice($slice) : made.slice(0, $slice);
};

const pulls = (element: Plain, argument: Plain): boolean => {
  if (!isFields(argument)) return element === argument;
  if ('$gte' in argument) return typeof element === 'number' && element >= number(argument['$gte']);
  return isFields(element) && Object.entries(argument).every(([name, value]) => element[name] === value);
};

const changes: Record<string, Change> = {
  $set: (_value, argument: Plain) => argument,
  $setOnInsert: (value, argument: Plain, isInsert) => (isInsert ? argument : value),
  $unset: () => undefined,
  $inc: (value, by: number) => (value === undefined ? by : number(value) + by),
  $mul: (value, by: number) => (value === undefined ? 0 : number(value) * by + 0),
  $min: (value, other: Plain) => (value === undefined || below(other, value) ? other : value),
  $max: (value, other: Plain) => (value === undefined || below(value, other) ? other : value),
  $bit: (value, { and, or, xor }: { and?: number; or?: number; xor?: number }) => {
    const bits = value === undefined ? 0 : number(value);
    if (and !== undefined) return bits & and;
    return or === undefined ? bits ^ (xor ?? 0) : bits | or;
  },
  $push: push,
  $addToSet: (value, { $each }: { $each: Plain[] }) => {
    const made = [...(value === undefined ? [] : list(value))];
    for (const one of $each) if (!made.includes(one)) made.push(one);
    return made;
  },
  $pop: (value, end: number) => value && (end === 1 ? list(value).slice(0, -1) : list(value).slice(1)),
  $pull: (value, argument: Plain) => value && list(value).filter((element) => !pulls(element, argument)),
  $pullAll: (value, some: Plain[]) => value && list(value).filter((element) => !some.includes(element)),
};
const neverCreates = new Set(['$unset', '$pop', '$pull', '$pullAll', '$rename']);

/** `$pop`, `$pull` and `$pullAll` are rejected for values that are not arrays, including 0 and null. */
const needsList = new Set(['$pop', '$pull', '$pullAll']);

type Selects = (element: Plain) => boolean;

/** The context of an update in addition to its operators. */
export interface UpdateFacts {
  isInsert: boolean;
  /** The index of the element matched by the filter. */
  position?: number;
  /** The elements that each identifier of the array filters selects. */
  selects: Readonly<Record<string, Selects>>;
}

const changed = (
  current: Plain | undefined,
  path: readonly string[],
  operator: string,
  argument: Plain,
  facts: UpdateFacts,
): Plain | undefined => {
  const [name = '', ...rest] = path;
  if (path.length === 0) {
    if (needsList.has(operator) && current !== undefined) list(current);
    return changes[operator]?.(current, argument as never, facts.isInsert);
  }
  const within = (value: Plain | undefined): Plain | undefined =>
    changed(value, rest, operator, argument, facts);
  if (name.startsWith('$[')) {
    const selects = name === '$[]' ? () => true : facts.selects[name.slice(2, -1)];
    return list(current).map((element) => (selects?.(element) ? (within(element) ?? null) : element));
  }
  if (name === '$' && facts.position === undefined) return refuse('no element was found');
  const key = name === '$' ? String(facts.position) : name;
  if (Array.isArray(current)) {
    if (!/^\d+$/.test(key)) return neverCreates.has(operator) ? current : refuse('a list has no fields');
    const at = Number(key);
    const value = within(current[at]);
    if (value === undefined && at >= current.length) return current;
    const made = [...current];
    while (made.length < at) made.push(null);
    made[at] = value ?? null;
    return made;
  }
  if (current !== undefined && !isFields(current))
    return neverCreates.has(operator) ? current : refuse('no fields');
  const value = within(current?.[key]);
  if (value === undefined && current === undefined) return undefined;
  const { [key]: _before, ...others } = current ?? {};
  return value === undefined ? others : { ...others, [key]: value };
};

/** Returns the document after an update with operators. */
export function applyOperators(
  doc: PlainDoc,
  update: Record<string, PlainDoc>,
  facts: UpdateFacts,
): PlainDoc {
  let made: PlainDoc = doc;
  for (const [operator, fields] of Object.entries(update))
    for (const [path, argument] of Object.entries(fields)) {
      if (operator === '$rename') {
        const moved = made[path];
        if (moved === undefined) continue;
        const { [path]: _moved, ...others } = made;
        made = { ...others, [argument as string]: moved };
      } else made = changed(made, path.split('.'), operator, argument, facts) as PlainDoc;
    }
  return made;
}
