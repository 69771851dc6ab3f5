import type { FilterNode } from '../query/ast.js';
import { parseFilter } from '../query/parse.js';
import type { Doc } from '../values/bson.js';
import { ServerError } from '../values/errors.js';

/** Operator names as they appear in MongoDB's message. Operators that are not listed keep their own name. */
const unsupportedName = (node: FilterNode): string | undefined => {
  switch (node.kind) {
    case 'and':
    case 'or':
      return undefined;
    case 'nor':
    case 'not':
    case 'expr':
      return `$${node.kind}`;
    case 'jsonSchema':
      return '$jsonSchema';
    case 'field':
      return supportedOperators.has(node.op) ? undefined : `${node.path} $${node.op}`;
    default:
      return undefined;
  }
};

const supportedOperators: ReadonlySet<string> = new Set([
  'eq',
  'gt',
  'gte',
  'lt',
  'lte',
  'in',
  'exists',
  'type',
]);

const check = (node: FilterNode): void => {
  const name = unsupportedName(node);
  if (name !== undefined) {
    throw new ServerError('CannotCreateIndex', `Expression not supported in partial index: ${name}\n`);
  }
  if (node.kind === 'and' || node.kind === 'or') node.children.forEach(check);
};

/**
 * Checks the filter of a partial index. Allowed are equality, ranges, `$in`, `$type`, `$exists: true`, `$and`
 * and `$or`. Throws CannotCreateIndex (67) for anything else.
 */
export const checkPartialFilter = (filter: Doc): void => check(parseFilter(filter));
