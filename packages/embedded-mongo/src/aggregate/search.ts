import { checkMetaAvailable, metaWanted } from '../expression/meta.js';
import { decode, isDoc, type Doc, type Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { takeMeta } from '../values/meta.js';
import type { Pushdown } from './pushdown.js';

const nearOperators: ReadonlySet<string> = new Set(['$near', '$nearSphere', '$geoNear']);
const whereOperator: ReadonlySet<string> = new Set(['$where']);
const textOperator: ReadonlySet<string> = new Set(['$text']);

const mentions = (value: Value, operators: ReadonlySet<string>): boolean => {
  if (Array.isArray(value)) return value.some((item) => mentions(item, operators));
  if (!isDoc(value)) return false;
  return Object.keys(value).some((name) => operators.has(name) || mentions(value[name], operators));
};

/** Refuses `$near` in any `$match`, and `$text` in one behind other stages. */
export function checkMatches(pipeline: readonly Doc[]): void {
  let first = true;
  for (const { $match } of pipeline) {
    if (isDoc($match)) {
      if (mentions($match, whereOperator)) {
        throw new ServerError('BadValue', '$where is not allowed in this context');
      }
      if (mentions($match, nearOperators)) {
        throw new ServerError(
          5626500,
          '$geoNear, $near, and $nearSphere are not allowed in this context, as these operators require sorting geospatial data. If you do not need sort, consider using $geoWithin instead. Check out https://dochub.mongodb.org/core/near-sort-operation and https://dochub.mongodb.org/core/nearSphere-sort-operation for more details.',
        );
      }
      if (!first && mentions($match, textOperator)) {
        throw new ServerError(17313, '$match with $text is only allowed as the first pipeline stage');
      }
    } else first = false;
  }
}

/** Has the engine send along what stages behind the query read with `$meta`. True when they read any. */
export function addMeta({ find, rest }: Pushdown): boolean {
  // What stands in the pipelines of these is about documents of their own.
  const wanted = metaWanted(rest.filter(({ $lookup, $unionWith }) => !$lookup && !$unionWith));
  if (wanted.size === 0) return false;
  checkMetaAvailable(wanted, { text: mentions(find.filter, textOperator), near: false });
  find.withMeta = true;
  return true;
}

export const readWithMeta = (bytes: Uint8Array): Doc => takeMeta(decode(bytes));
