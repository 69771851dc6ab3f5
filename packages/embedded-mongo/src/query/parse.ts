import { BSONRegExp } from 'bson';
import { formatValue, isDoc, isNumeric, toNumber, typeName } from '../values/bson.js';
import type { Doc, Value } from '../values/bson.js';
import { ServerError, unsupported } from '../values/errors.js';
import { isTruthy, truncate } from '../values/numbers.js';
import type { ComparisonOp, FieldNode, FilterNode } from './ast.js';
import { parseBits } from './bits.js';
import { parseJsonSchema } from './json-schema.js';
import { checkedRegex, prefixOf } from '../values/regex.js';
import { parseTypes } from './types.js';

const bad = (message: string): ServerError => new ServerError('BadValue', message);

const and = (children: FilterNode[]): FilterNode => {
  if (children.length === 1 && children[0]) return children[0];
  return children.length === 0 ? { kind: 'true' } : { kind: 'and', children };
};

const not = (child: FilterNode): FilterNode => ({ kind: 'not', child });

const regexNode = (path: string, regex: BSONRegExp): FieldNode => ({
  kind: 'field',
  path,
  op: 'regex',
  regex,
  ...prefixOf(regex),
});

/**
 * Whether the value is a document whose first field is an operator, like `{ $gt: … }`. `{ $ref, $id }` is a
 * value.
 */
export const isOperatorDoc = (value: Value): value is Doc => {
  if (!isDoc(value)) return false;
  const first = Object.keys(value)[0];
  return (
    first !== undefined && first.startsWith('$') && first !== '$ref' && first !== '$id' && first !== '$db'
  );
};

const comparison = (path: string, op: ComparisonOp, value: Value): FilterNode => {
  if (value === undefined) throw bad('cannot compare to undefined');
  if (value instanceof BSONRegExp && op !== 'eq') {
    throw bad(`Can't have RegEx as arg to predicate over field '${path}'.`);
  }
  return { kind: 'field', path, op, value };
};

const parseIn = (path: string, operand: Value, operator: string): FilterNode => {
  if (!Array.isArray(operand)) throw bad(`${operator} needs an array`);
  const values: Value[] = [];
  const regexes: BSONRegExp[] = [];
  for (const value of operand) {
    if (isOperatorDoc(value)) throw bad(`cannot nest $ under ${operator}`);
    if (value instanceof BSONRegExp) regexes.push(checkedRegex(value.pattern, value.options));
    else values.push(value);
  }
  return { kind: 'field', path, op: 'in', values, regexes };
};

const parseRegex = (path: string, operators: Doc): FilterNode => {
  const operand = operators['$regex'];
  let options = operators['$options'];
  if (operand === undefined) throw bad('$options needs a $regex');
  if (options !== undefined && typeof options !== 'string') throw bad('$options has to be a string');
  if (operand instanceof BSONRegExp) {
    if (options !== undefined && operand.options !== '') {
      throw new ServerError(51074, 'options set in both $regex and $options');
    }
    options ??= operand.options;
    return regexNode(path, checkedRegex(operand.pattern, options));
  }
  if (typeof operand !== 'string') throw bad('$regex has to be a string');
  return regexNode(path, checkedRegex(operand, options ?? ''));
};

const parseMod = (path: string, operand: Value): FilterNode => {
  if (!Array.isArray(operand)) throw bad('malformed mod, needs to be an array');
  if (operand.length < 2) throw bad('malformed mod, not enough elements');
  if (operand.length > 2) throw bad('malformed mod, too many elements');
  const [divisor, remainder] = operand.map((part, i) => {
    if (!isNumeric(part)) throw bad(`malformed mod, ${i === 0 ? 'divisor' : 'remainder'} not a number`);
    const whole = truncate(part);
    if (whole === undefined) {
      throw bad(
        `malformed mod, ${i === 0 ? 'divisor' : 'remainder'} value is invalid :: caused by :: Unable to coerce NaN/Inf to integral type`,
      );
    }
    return whole;
  });
  if (divisor === undefined || remainder === undefined || divisor === 0n) throw bad('divisor cannot be 0');
  return { kind: 'field', path, op: 'mod', divisor, remainder };
};

const parseSize = (path: string, operand: Value): FilterNode => {
  if (!isNumeric(operand))
    throw bad(`Failed to parse $size. Expected a number in: $size: ${formatValue(operand)}`);
  const size = toNumber(operand);
  if (!Number.isInteger(size))
    throw bad(`Failed to parse $size. Expected an integer: $size: ${formatValue(operand)}`);
  if (size < 0)
    throw bad(`Failed to parse $size. Expected a non-negative number in: $size: ${formatValue(operand)}`);
  return { kind: 'field', path, op: 'size', size };
};

/** Top-level operators of a filter. An `$elemMatch` that starts with one of them matches documents. */
export const logical: ReadonlySet<string> = new Set([
  '$and',
  '$or',
  '$nor',
  '$expr',
  '$jsonSchema',
  '$where',
  '$text',
  '$comment',
  '$alwaysTrue',
  '$alwaysFalse',
]);

const parseElemMatch = (path: string, operand: Value): FilterNode => {
  if (!isDoc(operand)) throw bad('$elemMatch needs an Object');
  const first = Object.keys(operand)[0];
  if (isOperatorDoc(operand) && first !== undefined && !logical.has(first)) {
    return { kind: 'field', path, op: 'elemMatchValue', child: parseOperators('', operand) };
  }
  return { kind: 'field', path, op: 'elemMatchObject', child: parseClauses(operand, false) };
};

const parseAll = (path: string, operand: Value): FilterNode => {
  if (!Array.isArray(operand)) throw bad('$all needs an array');
  if (operand.length === 0) return { kind: 'false' };
  const [first] = operand;
  if (isDoc(first) && Object.keys(first)[0] === '$elemMatch') {
    return and(
      operand.map((entry) => {
        if (!isDoc(entry) || Object.keys(entry)[0] !== '$elemMatch')
          throw bad('$all/$elemMatch has to be consistent');
        return parseElemMatch(path, entry['$elemMatch']);
      }),
    );
  }
  return and(
    operand.map((entry) => {
      if (isOperatorDoc(entry)) throw bad('no $ expressions in $all');
      return entry instanceof BSONRegExp
        ? regexNode(path, checkedRegex(entry.pattern, entry.options))
        : comparison(path, 'eq', entry);
    }),
  );
};

const parseNot = (path: string, operand: Value): FilterNode => {
  if (operand instanceof BSONRegExp)
    return not(regexNode(path, checkedRegex(operand.pattern, operand.options)));
  if (!isDoc(operand)) throw bad('$not needs a regex or a document');
  if (Object.keys(operand).length === 0) throw bad('$not cannot be empty');
  return not(parseOperators(path, operand));
};

/** Operators of MongoDB that this store does not support. */
const refused: ReadonlySet<string> = new Set([
  '$where',
  '$text',
  '$geoWithin',
  '$within',
  '$geoIntersects',
  '$near',
  '$nearSphere',
  '$geoNear',
]);

const fieldParsers: Record<string, (path: string, operand: Value, operators: Doc) => FilterNode> = {
  $eq: (path, operand) => comparison(path, 'eq', operand),
  $gt: (path, operand) => comparison(path, 'gt', operand),
  $gte: (path, operand) => comparison(path, 'gte', operand),
  $lt: (path, operand) => comparison(path, 'lt', operand),
  $lte: (path, operand) => comparison(path, 'lte', operand),
  $ne: (path, operand) => {
    if (operand instanceof BSONRegExp) throw bad(`Can't have regex as arg to $ne.`);
    return not(comparison(path, 'eq', operand));
  },
  $in: (path, operand) => parseIn(path, operand, '$in'),
  $nin: (path, operand) => not(parseIn(path, operand, '$nin')),
  $exists: (path, operand) => {
    const node: FilterNode = { kind: 'field', path, op: 'exists' };
    return isTruthy(operand) ? node : not(node);
  },
  $type: (path, operand) => ({ kind: 'field', path, op: 'type', types: parseTypes(operand) }),
  $size: parseSize,
  $mod: parseMod,
  $regex: (path, _operand, operators) => parseRegex(path, operators),
  $elemMatch: parseElemMatch,
  $all: parseAll,
  $not: parseNot,
  $comment: () => ({ kind: 'true' }),
  $bitsAllSet: (path, operand) => parseBits(path, 'bitsAllSet', operand),
  $bitsAllClear: (path, operand) => parseBits(path, 'bitsAllClear', operand),
  $bitsAnySet: (path, operand) => parseBits(path, 'bitsAnySet', operand),
  $bitsAnyClear: (path, operand) => parseBits(path, 'bitsAnyClear', operand),
};

const parseOperators = (path: string, operators: Doc): FilterNode => {
  const children: FilterNode[] = [];
  for (const name of Object.keys(operators)) {
    if (name === '$options') {
      if (!Object.hasOwn(operators, '$regex')) throw bad('$options needs a $regex');
      continue;
    }
    const parse = Object.hasOwn(fieldParsers, name) ? fieldParsers[name] : undefined;
    if (refused.has(name)) throw unsupported(name);
    if (!parse) throw bad(`unknown operator: ${name}`);
    children.push(parse(path, operators[name], operators));
  }
  return and(children);
};

const parseField = (path: string, value: Value): FilterNode => {
  if (value instanceof BSONRegExp) return regexNode(path, checkedRegex(value.pattern, value.options));
  return isOperatorDoc(value) ? parseOperators(path, value) : comparison(path, 'eq', value);
};

const parseList = (name: string, operand: Value): FilterNode[] => {
  if (!Array.isArray(operand)) throw bad(`${name} must be an array`);
  if (operand.length === 0) throw bad('$and/$or/$nor must be a nonempty array');
  return operand.map((entry) => {
    if (!isDoc(entry)) throw bad('$or/$and/$nor entries need to be full objects');
    return parseClauses(entry, false);
  });
};

const topLevelParsers: Record<string, (operand: Value) => FilterNode> = {
  $and: (operand) => and(parseList('$and', operand)),
  $or: (operand) => {
    const children = parseList('$or', operand);
    return children.length === 1 && children[0] ? children[0] : { kind: 'or', children };
  },
  $nor: (operand) => ({ kind: 'nor', children: parseList('$nor', operand) }),
  $expr: (operand) => ({ kind: 'expr', expression: operand }),
  $jsonSchema: (operand) => {
    if (!isDoc(operand)) throw new ServerError('TypeMismatch', '$jsonSchema must be an object');
    parseJsonSchema(operand);
    return { kind: 'jsonSchema', schema: operand };
  },
  $comment: () => ({ kind: 'true' }),
  $alwaysTrue: () => ({ kind: 'true' }),
  $alwaysFalse: () => ({ kind: 'false' }),
  $sampleRate: (operand) => {
    const rate = isNumeric(operand) ? toNumber(operand) : NaN;
    if (!isNumeric(operand)) throw bad('argument to $sampleRate must be a numeric type');
    if (!(rate >= 0 && rate <= 1)) throw bad('numeric argument to $sampleRate must be in [0, 1]');
    return { kind: 'sampleRate', rate };
  },
};

const parseClauses = (filter: Doc, top: boolean): FilterNode => {
  const children: FilterNode[] = [];
  for (const name of Object.keys(filter)) {
    const value = filter[name];
    if (!name.startsWith('$')) {
      children.push(parseField(name, value));
      continue;
    }
    const parse = Object.hasOwn(topLevelParsers, name) ? topLevelParsers[name] : undefined;
    if (!parse) {
      if (refused.has(name)) throw unsupported(name);
      // DBRef fields can be queried by name in $elemMatch and nested filters.
      if (!top && ['$ref', '$id', '$db'].includes(name)) children.push(parseField(name, value));
      else throw bad(unknownTopLevel(name));
      continue;
    }
    const node = parse(value);
    if (node.kind !== 'true') children.push(node);
  }
  return and(children);
};

const unknownTopLevel = (name: string): string =>
  `unknown top level operator: ${name}. If you have a field name that starts with a '$' symbol, consider using $getField or $setField.`;

/**
 * Parses a filter. As in MongoDB, throws BadValue (2), FailedToParse (9) or TypeMismatch (14) if it is
 * malformed. Throws CommandNotSupported (115) for operators that this store does not support.
 */
export const parseFilter = (filter: Doc): FilterNode => {
  if (!isDoc(filter))
    throw new ServerError(
      'TypeMismatch',
      `Expected field filter to be of type object, is ${typeName(filter)}`,
    );
  return parseClauses(filter, true);
};
