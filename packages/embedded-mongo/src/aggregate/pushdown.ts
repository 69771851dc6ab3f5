import type { FindSpec } from '../engine/types.js';
import { isDoc, isNumeric, toNumber, type Doc } from '../values/bson.js';
import { limitOf, skipOf } from './stages-basic.js';

/** The part of a pipeline that the engine runs as a query, and the remaining stages. */
export interface Pushdown {
  find: FindSpec;
  rest: Doc[];
  /** True when a limit leaves no documents to read. */
  empty: boolean;
}

/** Converts leading `$match`, `$sort`, `$skip`, `$limit` and a plain `$project` to an engine query. */
export function pushDown(pipeline: readonly Doc[]): Pushdown {
  const find: FindSpec = { filter: {} };
  const filters: Doc[] = [];
  let skip = 0;
  let limit = Infinity;
  let bounded = false;
  let at = 0;
  for (; at < pipeline.length; at++) {
    const stage = pipeline[at]!;
    const { $match, $sort, $skip, $limit, $project } = stage;
    if (Object.keys(stage).length !== 1) break;
    if (isDoc($match) && !bounded) {
      filters.push($match);
    } else if (isDoc($sort) && !bounded && !find.sort && isPlainSort($sort)) {
      find.sort = $sort;
    } else if ($skip !== undefined) {
      const count = skipOf($skip);
      skip += count;
      limit = Math.max(0, limit - count);
      bounded = true;
    } else if ($limit !== undefined) {
      limit = Math.min(limit, limitOf($limit));
      bounded = true;
    } else if (isDoc($project) && isPlainProjection($project)) {
      find.projection = $project;
      at += 1;
      break;
    } else {
      break;
    }
  }
  const matches = filters.filter((filter) => Object.keys(filter).length > 0);
  find.filter = matches.length <= 1 ? (matches[0] ?? {}) : { $and: matches };
  if (skip > 0) find.skip = skip;
  if (limit !== Infinity && limit > 0) find.limit = limit;
  return { find, rest: pipeline.slice(at), empty: limit === 0 };
}

const isPlainSort = (sort: Doc): boolean => {
  const directions = Object.values(sort);
  return (
    directions.length > 0 &&
    directions.every((value) => isMetaSort(value) || (isNumeric(value) && Math.abs(toNumber(value)) === 1))
  );
};

const isMetaSort = (value: Doc[string]): boolean => isDoc(value) && typeof value['$meta'] === 'string';

/** Whether fields are only included or excluded. Then a find projection is equivalent to `$project`. */
function isPlainProjection(projection: Doc): boolean {
  const fields = Object.entries(projection);
  if (fields.length === 0) return false;
  const flags = fields.map(([field, value]) => {
    if (field.includes('$')) return undefined;
    if (typeof value === 'boolean') return { field, taken: value };
    return isNumeric(value) ? { field, taken: toNumber(value) !== 0 } : undefined;
  });
  if (flags.some((flag) => flag === undefined)) return false;
  const others = flags.filter((flag) => flag?.field !== '_id');
  return others.every((flag) => flag?.taken === others[0]?.taken);
}

/** The output of a pipeline that only counts documents. */
export interface CountShape {
  /** Name of the field that receives the number of matches. */
  field: string;
  withId: boolean;
  id: Doc['_id'];
}

/** Recognizes `{ $count: x }` and the driver's `{ $group: { _id: constant, n: { $sum: 1 } } }`. */
export function countShape(rest: readonly Doc[]): CountShape | undefined {
  if (rest.length !== 1) return undefined;
  const { $count, $group } = rest[0]!;
  if (typeof $count === 'string' && $count !== '' && !/[.$]/.test($count))
    return { field: $count, withId: false, id: null };
  if (!isDoc($group)) return undefined;
  const fields = Object.keys($group);
  const id = $group['_id'];
  const field = fields.find((name) => name !== '_id');
  if (fields.length !== 2 || field === undefined || !(id === null || isNumeric(id))) return undefined;
  const sum = $group[field];
  const one = isDoc(sum) && Object.keys(sum).length === 1 ? sum['$sum'] : undefined;
  if (!isNumeric(one) || toNumber(one) !== 1 || /[.$]/.test(field)) return undefined;
  return { field, withId: true, id };
}
