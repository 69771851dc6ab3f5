import type { Engine, Namespace, ViewDefinition } from '../engine/types.js';
import { isDoc, type Doc, type Value } from '../values/bson.js';
import { equalValues, parseCollation } from '../values/compare.js';
import { ServerError } from '../values/errors.js';

const maxViewDepth = 20;

/**
 * The source of a view's documents: a collection, and the stages of the view and of the views that it reads.
 */
export interface ResolvedView {
  ns: Namespace;
  pipeline: Doc[];
  collation: Doc;
  /** The pipeline starts with `$documents`, so no collection is read. */
  collectionless: boolean;
}

const simple: Doc = { locale: 'simple' };

/**
 * Resolves a view, including nested views. Returns undefined if there is no view of that name. Throws
 * ViewDepthLimitExceeded (165).
 */
export function resolveView(engine: Engine, ns: Namespace): ResolvedView | undefined {
  if (!engine.hasViews) return undefined;
  if (ns.coll === 'system.views') return definitions(engine, ns);
  let view = engine.view(ns);
  if (!view) return undefined;
  const collation = view.collation ?? simple;
  const parts: Doc[][] = [];
  for (let depth = 1; ; depth++) {
    if (depth > maxViewDepth) throw tooDeep();
    parts.unshift(view.pipeline);
    const under: Namespace = { db: ns.db, coll: view.viewOn };
    const next = engine.view(under);
    if (!next) return { ns: under, pipeline: parts.flat(), collation, collectionless: false };
    view = next;
  }
}

/** `system.views` as a source: one document per view of the database. */
function definitions(engine: Engine, ns: Namespace): ResolvedView {
  const docs = engine
    .collections(ns.db)
    .filter(({ type }) => type === 'view')
    .map(({ ns: { db, coll }, options }) => ({ $literal: { _id: `${db}.${coll}`, ...options } }));
  return {
    ns: { db: ns.db, coll: '$cmd.aggregate' },
    pipeline: [{ $documents: docs }],
    collation: simple,
    collectionless: true,
  };
}

/** Throws if the command's collation differs from that of the view. */
export function checkViewCollation(given: Doc | undefined, view: ResolvedView): void {
  if (given && !sameCollation(given, view.collation)) {
    throw new ServerError('OptionNotSupportedOnView', "Cannot override a view's default collation");
  }
}

const sameCollation = (a: Doc | undefined, b: Doc | undefined): boolean => {
  const [one, other] = [parseCollation(a), parseCollation(b)];
  return one && other ? equalValues(one.spec, other.spec) : one === other;
};

/**
 * Validates a view definition against the existing views: it may not contain stages that write, form a cycle
 * or a chain of more than 20 views, or combine views with different collations.
 */
export function checkViewDefinition(engine: Engine, ns: Namespace, view: ViewDefinition): void {
  view.pipeline.forEach((stage, at) => checkStage(ns, stage, at));
  const views = new Map<string, ViewDefinition>();
  for (const { ns: other } of engine.collections(ns.db)) {
    const definition = engine.view(other);
    if (definition) views.set(other.coll, definition);
  }
  views.set(ns.coll, view);
  for (const name of sources(view)) {
    const other = name === ns.coll ? undefined : views.get(name);
    if (other && !sameCollation(view.collation, other.collation)) {
      throw new ServerError(
        'OptionNotSupportedOnView',
        `View ${full(ns)} has conflicting collation with view ${full({ ...ns, coll: name })}`,
      );
    }
  }
  const cycle = pathTo(ns.coll, ns.coll, views, new Set());
  if (cycle) {
    const path = [ns.coll, ns.coll, ...cycle].map((coll) => full({ db: ns.db, coll }));
    throw new ServerError('GraphContainsCycle', `View cycle detected: ${path.join(' => ')}`);
  }
  const users = new Map<string, string[]>();
  for (const [name, definition] of views)
    for (const source of sources(definition)) users.set(source, [...(users.get(source) ?? []), name]);
  const below = height(ns.coll, (name) => sources(views.get(name)).filter((source) => views.has(source)));
  const above = height(ns.coll, (name) => users.get(name) ?? []);
  if (below + above - 1 > maxViewDepth) throw tooDeep();
}

const full = (ns: Namespace): string => `${ns.db}.${ns.coll}`;

const tooDeep = (): ServerError =>
  new ServerError('ViewDepthLimitExceeded', `View depth limit exceeded; maximum depth is ${maxViewDepth}`);

function checkStage(ns: Namespace, stage: Doc, at: number): void {
  const name = Object.keys(stage)[0] ?? '';
  const refuse = (why: string): ServerError =>
    new ServerError(
      'OptionNotSupportedOnView',
      `Invalid pipeline for view ${full(ns)} :: caused by :: ${why}`,
    );
  if (name === '$out' || name === '$merge') {
    throw refuse(
      `The aggregation stage ${name} in location ${at} of the pipeline cannot be used in the view definition of ${full(ns)} because it writes to disk`,
    );
  }
  if (name === '$changeStream') throw refuse('$changeStream cannot be used in a view definition');
}

/** Names of the collections and views that a view reads. */
const sources = (view: ViewDefinition | undefined): string[] =>
  view ? [view.viewOn, ...view.pipeline.flatMap(sourcesOfStage)] : [];

function sourcesOfStage(stage: Doc): string[] {
  const found: string[] = [];
  const { $lookup, $graphLookup, $unionWith, $facet } = stage;
  const nested = (pipeline: Value): void => {
    if (Array.isArray(pipeline)) found.push(...pipeline.filter(isDoc).flatMap(sourcesOfStage));
  };
  for (const spec of [$lookup, $graphLookup]) {
    if (!isDoc(spec)) continue;
    if (typeof spec['from'] === 'string') found.push(spec['from']);
    nested(spec['pipeline']);
  }
  if (typeof $unionWith === 'string') found.push($unionWith);
  else if (isDoc($unionWith)) {
    if (typeof $unionWith['coll'] === 'string') found.push($unionWith['coll']);
    nested($unionWith['pipeline']);
  }
  if (isDoc($facet)) Object.values($facet).forEach(nested);
  return found;
}

/**
 * The names on the path from `from` (exclusive) to `target` (inclusive) through the views that each view
 * reads. Undefined if there is no path.
 */
function pathTo(
  target: string,
  from: string,
  views: ReadonlyMap<string, ViewDefinition>,
  seen: Set<string>,
): string[] | undefined {
  for (const name of sources(views.get(from))) {
    if (name === target) return [name];
    if (seen.has(name)) continue;
    seen.add(name);
    const rest = pathTo(target, name, views, seen);
    if (rest) return [name, ...rest];
  }
  return undefined;
}

/** Length of the longest chain of views from `name`, including itself. There is no cycle. */
function height(name: string, next: (name: string) => string[]): number {
  const known = new Map<string, number>();
  const measure = (at: string): number => {
    const before = known.get(at);
    if (before !== undefined) return before;
    const tallest = Math.max(0, ...next(at).map(measure));
    known.set(at, tallest + 1);
    return tallest + 1;
  };
  return measure(name);
}
