import type { mongo } from 'mongoose';

type Doc = Readonly<Record<string, unknown>>;

/** How the server runs a query. Without values of documents, so that it may be logged. */
export interface QueryPlan {
  /** From the outside in, for example LIMIT, FETCH, IXSCAN. */
  stages: string[];
  /** Names of the indexes that are used. */
  indexes: string[];
  /** Every document of the collection is looked at. */
  collectionScan: boolean;
}

/** Commands that explain takes, by name. */
const explainable: ReadonlySet<string> = new Set([
  'find',
  'aggregate',
  'count',
  'distinct',
  'findAndModify',
  'update',
  'delete',
]);

/** What the driver adds to a command for its session, its transaction and its server; explain does not take it. */
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

/** The first of the writes of a batch: the others are nearly always of the same shape. */
const firstOf = (batch: unknown): Doc => {
  const first: unknown = Array.isArray(batch) ? batch[0] : undefined;
  return isDoc(first) ? first : {};
};

/** The command to be explained; undefined for one without a query. */
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

/** Parts of an explanation that repeat the query, or report plans that were not taken. */
const notOfThePlan: ReadonlySet<string> = new Set([
  'rejectedPlans',
  'parsedQuery',
  'command',
  'filter',
  'indexBounds',
  'serverInfo',
  'serverParameters',
]);

/** Walks over the answer whatever its form: that of a pipeline, of shards, of either engine of the server. */
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

/** @throws MongoError when the server does not answer */
export async function planOf(database: mongo.Db, command: Doc): Promise<QueryPlan | undefined> {
  const explain = explainOf(command);
  return explain && readPlan(await database.command(explain));
}

const MAX_SHAPE_LENGTH = 300;
const MAX_DEPTH = 6;

function shapeOfValue(value: unknown, depth: number): string {
  if (depth > MAX_DEPTH) return '?';
  if (Array.isArray(value)) {
    // Conditions are told one by one, however often they repeat; a list of values is one value.
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
 * What a command asks, without its values: `find messages { tenantId: ?, seq: { $gt: ? } } sort seq:1`. Commands that differ in
 * values alone have the same shape.
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
