import type { mongo } from 'mongoose';

type Doc = mongo.Document;

export const isDoc = (value: unknown): value is Doc =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;

const docsOf = (value: unknown): Doc[] => (Array.isArray(value) ? value.filter(isDoc) : []);

/** How a condition can use an index: for single values, for a range, or not usefully. */
export type ConditionKind = 'equality' | 'range' | 'other';

export interface Condition {
  field: string;
  kind: ConditionKind;
  /** Compares with true or false, which on average matches half of the documents. */
  isFlag?: boolean;
}

/** A query without its values. Queries with the same `key` have the same shape. */
export interface QueryShape {
  namespace: string;
  /**
   * find, aggregate, update, delete, findAndModify, count, distinct, or another command, which has no filter.
   */
  operation: string;
  /** Readable text: `{ tenantId: =, at: range }`. */
  filter: string;
  conditions: readonly Condition[];
  sort: Readonly<Record<string, 1 | -1>>;
  key: string;
}

const kinds: Readonly<Record<string, [ConditionKind, string]>> = {
  $eq: ['equality', '='],
  $in: ['equality', 'in'],
  $gt: ['range', 'range'],
  $gte: ['range', 'range'],
  $lt: ['range', 'range'],
  $lte: ['range', 'range'],
  $regex: ['range', 'regex'],
};

const isOperators = (value: unknown): value is Doc =>
  isDoc(value) && Object.keys(value)[0]?.startsWith('$') === true;

function wordsOf(operators: Doc): string {
  const words = Object.keys(operators)
    .filter((operator) => operator !== '$options')
    .map((operator) => kinds[operator]?.[1] ?? operator.slice(1));
  return [...new Set(words)].join(' ');
}

/** Renders a filter as text without values, with fields in their order. */
function textOf(filter: Doc): string {
  const parts = Object.entries(filter).map(([field, value]) => {
    if (Array.isArray(value) && field.startsWith('$'))
      return `${field}: [${[...new Set(docsOf(value).map(textOf))].join(', ')}]`;
    if (field.startsWith('$')) return `${field}: …`;
    return `${field}: ${isOperators(value) ? wordsOf(value) : '='}`;
  });
  return parts.length === 0 ? '{}' : `{ ${parts.join(', ')} }`;
}

function conditionOf(field: string, value: unknown): Condition {
  if (!isOperators(value))
    return {
      field,
      kind: value instanceof RegExp ? 'range' : 'equality',
      ...(typeof value === 'boolean' && { isFlag: true }),
    };
  const found = Object.keys(value).map((operator) => kinds[operator]?.[0] ?? 'other');
  const kind = (['equality', 'range'] as const).find((one) => found.includes(one)) ?? 'other';
  return { field, kind, ...(typeof value['$eq'] === 'boolean' && { isFlag: true }) };
}

/** Returns the conditions that every match meets, including those in `$and` but not those in `$or`. */
function conditionsOf(filter: Doc): Condition[] {
  const conditions = Object.entries(filter).flatMap(([field, value]) => {
    if (field === '$and') return docsOf(value).flatMap(conditionsOf);
    return field.startsWith('$') ? [] : [conditionOf(field, value)];
  });
  const byField = new Map<string, Condition>();
  for (const one of conditions) if (byField.get(one.field)?.kind !== 'equality') byField.set(one.field, one);
  return [...byField.values()];
}

function sortOf(value: unknown): Record<string, 1 | -1> {
  const sort: Record<string, 1 | -1> = {};
  for (const [field, direction] of Object.entries(isDoc(value) ? value : {}))
    if (!field.startsWith('$')) sort[field] = Number(direction) < 0 ? -1 : 1;
  return sort;
}

interface Search {
  operation: string;
  filter: Doc;
  sort?: unknown;
}

function aggregateSearch(command: Doc): Search {
  const stages = docsOf(command['pipeline']);
  const isMatched = stages[0]?.['$match'] !== undefined;
  const filter: unknown = stages[0]?.['$match'];
  const next: unknown = stages[isMatched ? 1 : 0]?.['$sort'];
  return { operation: 'aggregate', filter: isDoc(filter) ? filter : {}, sort: next };
}

/** A write in the profile is one statement; a batch of several is represented by the first. */
function writeSearch(operation: string, command: Doc, list: string): Search {
  const q: unknown = command['q'] ?? docsOf(command[list])[0]?.['q'];
  return { operation, filter: isDoc(q) ? q : {} };
}

function searchOf(op: string, command: Doc): Search {
  const doc = (name: string): Doc => {
    const value: unknown = command[name];
    return isDoc(value) ? value : {};
  };
  if (op === 'update') return writeSearch('update', command, 'updates');
  if (op === 'remove') return writeSearch('delete', command, 'deletes');
  const name = Object.keys(command)[0] ?? op;
  switch (name.toLowerCase()) {
    case 'find':
      return { operation: 'find', filter: doc('filter'), sort: command['sort'] };
    case 'aggregate':
      return aggregateSearch(command);
    case 'findandmodify':
      return { operation: 'findAndModify', filter: doc('query'), sort: command['sort'] };
    case 'count':
    case 'distinct':
      return { operation: name, filter: doc('query') };
    default:
      return { operation: op === 'insert' ? 'insert' : name, filter: {} };
  }
}

/**
 * Returns the shape of an operation from its entry in `system.profile`. Further batches of a query have the
 * shape of the query.
 */
export function shapeOf(entry: Doc): QueryShape {
  const op = String(entry['op']);
  const origin: unknown = op === 'getmore' ? entry['originatingCommand'] : undefined;
  const command: unknown = origin ?? entry['command'];
  const {
    operation,
    filter,
    sort: given,
  } = searchOf(op === 'getmore' ? 'query' : op, isDoc(command) ? command : {});
  const namespace = String(entry['ns']);
  const sort = sortOf(given);
  const text = textOf(filter);
  return {
    namespace,
    operation,
    filter: text,
    conditions: conditionsOf(filter),
    sort,
    key: [namespace, operation, text, JSON.stringify(sort)].join(' '),
  };
}
