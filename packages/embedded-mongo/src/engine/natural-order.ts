import type { Doc } from '../values/bson.js';
import { toNumber } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { formatDoc } from '../values/format.js';

interface Asked {
  sort?: Doc;
  hint?: string | Doc;
}

const bad = (message: string): ServerError => new ServerError('BadValue', message);

const hasNatural = (spec: string | Doc | undefined): boolean =>
  spec === '$natural' || (typeof spec === 'object' && Object.hasOwn(spec, '$natural'));

/** Rejects `$natural` combined with other fields, and a sort that contradicts the hint. */
export const checkNatural = ({ sort, hint }: Asked): void => {
  if (sort && hasNatural(sort)) {
    if (Object.keys(sort).length > 1)
      throw bad(`Cannot include '$natural' in compound sort: ${formatDoc(sort)}`);
    if (hint !== undefined && !hasNatural(hint)) throw bad('index hint not allowed with $natural sort order');
  }
  if (typeof hint !== 'object' || !hasNatural(hint)) return;
  if (Object.keys(hint).length > 1)
    throw bad(`Cannot include '$natural' in compound hint: ${formatDoc(hint)}`);
  if (sort && hasNatural(sort) && toNumber(sort.$natural) !== toNumber(hint.$natural)) {
    throw bad('$natural hint must be in the same direction as $natural sort order');
  }
};
