import { compileFilter } from '../query/matcher.js';
import type { Filter } from '../query/matcher.js';
import { compileProjection } from '../query/projection.js';
import { compileSort } from '../query/sort.js';
import type { Sort } from '../query/sort.js';
import { BsonType, typeNumber } from '../values/bson.js';
import type { Doc } from '../values/bson.js';
import { parseCollation } from '../values/compare.js';
import type { Collation } from '../values/compare.js';
import { encodeKey } from '../values/key.js';
import type { Collection } from './catalog.js';
import type { Index } from './index-definition.js';
import { concatKey, storedKey } from './key-layout.js';
import { checkNatural } from './natural-order.js';
import { isExact, summaryOf } from './plan.js';
import type { Plan } from './plan.js';
import { naturalOrder, needsBlockingSort, planQuery } from './planner.js';
import type { PlanRequest } from './planner.js';
import type { PlanSummary } from './types.js';

/** The parts of a query that determine its plan. */
export interface QuerySpec {
  filter: Doc;
  sort?: Doc;
  hint?: string | Doc;
  collation?: Doc;
  let?: Doc;
  min?: Doc;
  max?: Doc;
}

/** A query with its plan. `filter` is compiled on first use, since a lookup by `_id` may not need it. */
export class PreparedQuery {
  readonly plan: Plan;
  /** Set when the plan does not provide the sort order. */
  readonly blockingSort: Sort | undefined;
  private readonly explained: (() => Plan) | undefined;
  private readonly collation: Collation | undefined;
  private compiled: Filter | undefined;

  constructor(
    collection: Collection,
    readonly spec: QuerySpec,
    snapshotSeq?: number,
  ) {
    this.collation = parseCollation(spec.collation ?? (collection.options.collation as Doc | undefined));
    const { idIndex } = collection;
    const id = !idIndex || this.collation || idIndex.collation ? undefined : soleId(spec);
    if (idIndex && id !== undefined) {
      this.plan = idLookup(idIndex, id);
      return;
    }
    const sortsNaturally = naturalOrder(spec.sort);
    const natural = sortsNaturally ?? naturalOrder(spec.hint);
    const { collation } = this;
    const sorted =
      spec.sort && sortsNaturally === undefined && Object.keys(spec.sort).length > 0 ? spec.sort : undefined;
    const { ast } = this.filter;
    checkNatural(spec);
    const sort = sorted ? compileSort(sorted, collation) : undefined;
    const request: PlanRequest = {
      ast,
      sort: sort?.fields,
      natural,
      hint: spec.hint,
      min: spec.min,
      max: spec.max,
      collation,
      let: spec.let,
      snapshotSeq,
    };
    this.plan = planQuery(collection, request);
    this.explained = () => planQuery(collection, { ...request, withTexts: true });
    this.blockingSort = needsBlockingSort(this.plan, sort?.fields) ? sort : undefined;
  }

  get filter(): Filter {
    return (this.compiled ??= compileFilter(this.spec.filter, {
      collation: this.collation,
      let: this.spec.let,
    }));
  }

  /** The plan as shown by explain. */
  get summary(): PlanSummary {
    return summaryOf(this.explained?.() ?? this.plan, this.blockingSort !== undefined);
  }

  /** The filter that documents from the plan must still match. Undefined if the plan is exact. */
  get check(): Filter | undefined {
    return isExact(this.plan) ? undefined : this.filter;
  }
}

/** Throws the errors that a malformed query would cause on an existing collection. */
export const checkQuery = ({ filter, sort, projection, ...rest }: QuerySpec & { projection?: Doc }): void => {
  const { ast } = compileFilter(filter, { collation: parseCollation(rest.collation), let: rest.let });
  if (sort && naturalOrder(sort) === undefined) compileSort(sort);
  if (projection) compileProjection(projection, ast, { let: rest.let });
};

/** The value of a filter that consists only of `_id`. */
const soleId = ({ filter, hint, min, max }: QuerySpec): Doc[string] => {
  if (hint !== undefined || min || max) return undefined;
  let fields = 0;
  for (const field in filter) {
    if (field !== '_id' || ++fields > 1) return undefined;
  }
  const value = filter._id;
  switch (typeNumber(value)) {
    case BsonType.objectId:
    case BsonType.string:
    case BsonType.int:
    case BsonType.long:
    case BsonType.binData:
    case BsonType.date:
    case BsonType.bool:
      return value;
    default:
      return undefined;
  }
};

const idLookup = (index: Index, id: Doc[string]): Plan => {
  return {
    kind: 'point',
    index,
    key: concatKey(index.prefix, storedKey(encodeKey([id], index.directions))),
    exact: true,
    sorted: true,
    bounds: {},
  };
};
