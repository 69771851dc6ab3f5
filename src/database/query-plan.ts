import type { mongo } from 'mongoose';

type Doc = Readonly<Record<string, unknown>>;

/** How the server runs a query. Contains no values from documents, so it may be logged. */
export interface QueryPlan {
  /** From the outermost stage inward, for example LIMIT, FETCH, IXSCAN. */
  stages: string[];
  /** Names of the indexes that are used. */
  indexes: string[];
  /** Whether the query examines every document of the collection. */
  collectionScan: boolean;
}

/** Names of the commands that `explain` accepts. */
const explainable: ReadonlySet<string> = new Set([
  'find',
  'aggregate',
  'count',
  'distinct',
  'findAndModify',
  'update',
  'delete',
]);

/**
 * Fields that concern the session, the transaction or the delivery of a command; `explain` does not accept
 * them.
 */
const ofTransport: ReadonlySet<string> = new Set([
  'lsid',
  'txnNumber',
  'startTransaction',
  'autocommit',
  'readConcern',
  'writeConcern',
  'ordered',
  'bypassDocumentValidation',
  'maxTimeMS',
  'apiVersion',
]);

const isDoc = (value: unknown): value is Doc =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;

const nameOf = (command: Doc): string => Object.keys(command)[0] ?? '';

/** The first write of a batch; the others nearly always have the same shape. */
const firstOf = (batch: unknown): Doc => {
  const first: unknown = Array.isArray(batch) ? batch[0] : undefined;
  return isDoc(first) ? first : {};
};

/** Wraps a command in `explain`. Returns undefined for a command without a query. */
export function explainOf(command: Doc): mongo.Document | undefined {
  const name = nameOf(command);
  if (!explainable.has(name)) return undefined;
  const inner: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(command))
    if (!ofTransport.has(key) && !key.startsWith('$')) inner[key] = value;
  if (name === 'update') inner['updates'] = [firstOf(command['updates'])];
  if (name === 'delete') inner['deletes'] = [firstOf(command['deletes'])];
  return { explain: inner, verbosity: 'queryPlanner' };
}

/** Parts of an explanation that repeat the query or describe rejected plans. */
const notOfThePlan: ReadonlySet<string> = new Set([
  'rejectedPlans',
  'parsedQuery',
  'command',
  'filter',
  'indexBounds',
  'serverInfo',
  'serverParameters',
]);

/** Reads an explanation in any form: of a pipeline, of shards, or of either query engine of the server. */
export function readPlan(explanation: unknown): QueryPlan {
  const stages: string[] = [];
  const indexes = new Set<string>();
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(walk);
    else if (isDoc(value)) {
      if (typeof value['stage'] === 'string') stages.push(value['stage']);
      if (typeof value['indexName'] === 'string') indexes.add(value['indexName']);
      for (const [key, part] of Object.entries(value)) if (!notOfThePlan.has(key)) walk(part);
    }
  };
  walk(explanation);
  return { stages, indexes: [...indexes], collectionScan: stages.includes('COLLSCAN') };
}

/** @throws MongoError when the server cannot be reached or rejects the command */
export async function planOf(database: mongo.Db, command: Doc): Promise<QueryPlan | undefined> {
  const explain = explainOf(command);
  return explain && readPlan(await database.command(explain));
}

const MAX_SHAPE_LENGTH = 300;
const MAX_DEPTH = 6;

function shapeOfValue(value: unknown, depth: number): string {
  if (depth > MAX_DEPTH) return '?';
  if (Array.isArray(value)) {
    // Equal conditions are listed once; a list of values counts as one value.
    const parts = new Set(value.filter(isDoc).map((one) => shapeOfValue(one, depth + 1)));
    return parts.size > 0 ? `[${[...parts].join(', ')}]` : '?';
  }
  if (!isDoc(value) || Object.keys(value).length === 0) return '?';
  const fields = Object.entries(value).map(([key, part]) => `${key}: ${shapeOfValue(part, depth + 1)}`);
  return `{ ${fields.join(', ')} }`;
}

const orderOf = (sort: unknown): string => {
  const fields =
    sort instanceof Map ? [...(sort as Map<string, unknown>)] : isDoc(sort) ? Object.entries(sort) : [];
  return fields.length === 0 ? '' : ` sort ${fields.map(([key, way]) => `${key}:${String(way)}`).join(',')}`;
};

function filterOf(command: Doc): unknown {
  switch (nameOf(command)) {
    case 'find':
      return command['filter'];
    case 'update':
      return firstOf(command['updates'])['q'];
    case 'delete':
      return firstOf(command['deletes'])['q'];
    case 'aggregate':
      return command['pipeline'];
    default:
      return command['query'];
  }
}

/**
 * Describes a command without its values: `find messages { tenantId: ?, seq: { $gt: ? } } sort seq:1`.
 * Commands that differ only in values have the same shape.
 */
export function shapeOf(command: Doc): string {
  const name = nameOf(command);
  const target = command[name];
  const collection =
    typeof target === 'string'
      ? ` ${target}`
      : typeof command['collection'] === 'string'
        ? ` ${command['collection']}`
        : '';
  const filter = filterOf(command);
  const shape = filter === undefined ? '' : ` ${shapeOfValue(filter, 0)}`;
  return `${name}${collection}${shape}${orderOf(command['sort'])}`.slice(0, MAX_SHAPE_LENGTH);
}
