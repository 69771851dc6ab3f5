import type { mongo } from 'mongoose';

type Doc = mongo.Document;

const isDoc = (value: unknown): value is Doc =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;

/** One query of a collection: a read, or one statement of a write command. */
export interface Statement {
  collection: string;
  /** find, aggregate, update, delete, findAndModify, count, distinct. */
  operation: string;
  filter: Doc;
  sort?: Doc | undefined;
  limit?: number | undefined;
  /** The explain command for the query. */
  explain: Doc;
}

/** Fields of a command that concern its connection or transaction and not the query. */
const wrapping =
  /^(\$.*|lsid|txnNumber|autocommit|startTransaction|writeConcern|readConcern|apiVersion|maxTimeMS|ordered)$/;

const bare = (command: Doc): Doc =>
  Object.fromEntries(Object.entries(command).filter(([name]) => !wrapping.test(name)));

/** The driver sends a sort order as a Map. */
const sortOf = (command: Doc): Doc | undefined => {
  const sort: unknown = command['sort'];
  return sort instanceof Map ? Object.fromEntries(sort as Map<string, unknown>) : (sort as Doc | undefined);
};

const docsOf = (value: unknown): Doc[] => (Array.isArray(value) ? value.filter(isDoc) : []);

/**
 * The queries in a command. Empty for commands without a query: an insert, a commit, or a getMore, whose find
 * is explained already.
 */
export function statementsOf(name: string, command: Doc): Statement[] {
  const collection = String(command[name]);
  const explain = bare(command);
  const one = (filter: unknown, more: Partial<Statement> = {}): Statement => ({
    collection,
    operation: name,
    filter: isDoc(filter) ? filter : {},
    explain,
    ...more,
  });
  switch (name) {
    case 'find':
      return [
        one(command['filter'], {
          sort: sortOf(command),
          limit: command['limit'] as number | undefined,
        }),
      ];
    case 'count':
    case 'distinct':
      return [one(command['query'])];
    case 'findAndModify':
      return [one(command['query'], { sort: sortOf(command), limit: 1 })];
    case 'aggregate': {
      const [first] = docsOf(command['pipeline']);
      return [one(first?.['$match'])];
    }
    case 'update':
      return docsOf(command['updates']).map((update) =>
        one(update['q'], { explain: { ...explain, updates: [update] } }),
      );
    case 'delete':
      return docsOf(command['deletes']).map((deletion) =>
        one(deletion['q'], { explain: { ...explain, deletes: [deletion] } }),
      );
    default:
      return [];
  }
}

export interface IndexUse {
  /** The index key; `_id` for a lookup by _id, which needs no scan. */
  key: string;
  /** The bounded fields of the index in index order, which limit the range that is read. */
  bounded: string[];
}

export interface Plan {
  stages: string[];
  indexes: IndexUse[];
  sorts: boolean;
  /** Whether documents found through the index are filtered again. */
  filters: boolean;
}

const skipped = new Set([
  'rejectedPlans',
  'parsedQuery',
  'command',
  'indexBounds',
  'serverInfo',
  'queryParams',
]);

/** All stages of an explain result that would be executed. */
function stagesOf(value: unknown): Doc[] {
  if (Array.isArray(value)) return value.flatMap(stagesOf);
  if (!isDoc(value)) return [];
  const below = Object.entries(value).flatMap(([name, one]) => (skipped.has(name) ? [] : stagesOf(one)));
  return typeof value['stage'] === 'string' ? [value, ...below] : below;
}

const everything = /^[[(]M(in|ax)Key, M(in|ax)Key[\])]$/;

function useOf(stage: Doc): IndexUse[] {
  const name = String(stage['stage']);
  if (name === 'IDHACK' || name === 'CLUSTERED_IXSCAN' || name === 'EXPRESS_CLUSTERED_IXSCAN')
    return [{ key: '_id', bounded: ['_id'] }];
  if (!/(IXSCAN|COUNT_SCAN|DISTINCT_SCAN)$/.test(name)) return [];
  const pattern = stage['keyPattern'] as Doc | string | undefined;
  if (pattern === undefined || typeof pattern === 'string')
    return [{ key: pattern ?? String(stage['indexName']), bounded: ['all'] }];
  const bounds = stage['indexBounds'] as Record<string, unknown> | undefined;
  const fields = Object.keys(pattern);
  return [
    {
      key: keyText(pattern),
      bounded: fields.filter((field) => !bounds || !everything.test(String([bounds[field]].flat()))),
    },
  ];
}

/** `tenantId, updatedAt:-1`. */
export const keyText = (key: Doc): string =>
  Object.entries(key)
    .map(([field, direction]) => (direction === 1 ? field : `${field}:${String(direction)}`))
    .join(', ');

function planFrom(explanation: Doc): Plan {
  const stages = stagesOf(explanation);
  return {
    stages: stages.map(({ stage }) => String(stage)),
    indexes: stages.flatMap(useOf),
    sorts: stages.some(({ stage }) => stage === 'SORT'),
    filters: stages.some(({ filter }) => isDoc(filter) && Object.keys(filter).length > 0),
  };
}

/**
 * Returns the plan that the server chose. If two indexes serve a query equally well on the few documents of a
 * test, MongoDB may choose either, even one that would be slower with many documents. Therefore a rejected
 * plan without problems takes precedence. The choice with many documents is tested elsewhere.
 */
export function planOf(explanation: Doc, statement: Pick<Statement, 'limit'> = {}): Plan {
  const chosen = planFrom(explanation);
  if (faultsOf(statement, chosen).length === 0) return chosen;
  const served = rejectedOf(explanation)
    .map(planFrom)
    .find((plan) => faultsOf(statement, plan).length === 0);
  return served ?? chosen;
}

/** The plans that the server rejected, from every part of an explain result. */
function rejectedOf(value: unknown): Doc[] {
  if (Array.isArray(value)) return value.flatMap(rejectedOf);
  if (!isDoc(value)) return [];
  return Object.entries(value).flatMap(([name, part]) =>
    name === 'rejectedPlans' ? docsOf(part) : rejectedOf(part),
  );
}

/** The problems of a plan. Empty if its cost does not grow with the size of the collection. */
export function faultsOf({ limit }: Pick<Statement, 'limit'>, plan: Plan): string[] {
  const faults: string[] = [];
  if (plan.stages.includes('COLLSCAN')) faults.push('reads the whole collection');
  else if (plan.indexes.length === 0) faults.push(`uses no index (${plan.stages.join(' < ')})`);
  if (plan.sorts) faults.push('sorts in memory');
  const whole = plan.indexes.some(({ bounded }) => bounded.length === 0);
  if (whole && (!limit || plan.filters)) faults.push('reads a whole index');
  return faults;
}

const operatorWords: Readonly<Record<string, string>> = {
  $gt: 'range',
  $gte: 'range',
  $lt: 'range',
  $lte: 'range',
  $in: 'in',
  $nin: 'not in',
  $ne: 'not',
  $exists: 'exists',
  $eq: '',
};

/** Describes a filter without its values: `tenantId, updatedAt range, (updatedAt range or _id range)`. */
export function shapeOf(filter: Doc): string {
  return Object.entries(filter)
    .map(([field, value]) => {
      if (field.startsWith('$'))
        return `(${docsOf(value)
          .map(shapeOf)
          .join(field === '$or' ? ' or ' : ' and ')})`;
      const operators = isDoc(value) ? Object.keys(value) : [];
      if (!operators[0]?.startsWith('$')) return field;
      const words = new Set(operators.map((operator) => operatorWords[operator] ?? operator));
      return [field, ...words].filter((word) => word !== '').join(' ');
    })
    .join(', ');
}
