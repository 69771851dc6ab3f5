import { MaxKey, MinKey } from 'bson';
import { type Doc, type Value, isDoc, toNumber, typeName } from '../../src/values/types.js';
import { classOf, compare, type Found, isNaNumber, isNumber, NOTHING, wholeOf } from './order.js';

/**
 * A reference implementation of the filters of MongoDB, written only from the manual and without regard to
 * speed, for comparison in tests.
 */

const own = (doc: Doc, name: string): Found => (Object.hasOwn(doc, name) ? doc[name] : NOTHING);

/** All values that a path reaches. An array at its end is returned itself, not its elements. */
const reach = (value: Found, path: readonly string[]): { found: Found; named: boolean }[] => {
  const [name = '', ...rest] = path;
  if (path.length === 0) return [{ found: value, named: false }];
  if (Array.isArray(value)) {
    const within = value.filter(isDoc).flatMap((element) => reach(element, path));
    if (!/^\d+$/.test(name) || Number(name) >= value.length) return within;
    const element = value[Number(name)];
    // An array element that a path selects by index is not traversed further.
    if (rest.length === 0) return [...within, { found: element, named: true }];
    return isDoc(element) || Array.isArray(element) ? [...within, ...reach(element, rest)] : within;
  }
  if (value === NOTHING || !isDoc(value)) return [{ found: NOTHING, named: false }];
  const field = own(value, name);
  return field === NOTHING ? [{ found: NOTHING, named: false }] : reach(field, rest);
};

const whole = (doc: Doc, path: string): Found[] => reach(doc, path.split('.')).map(({ found }) => found);

/** All values that a path reaches, including the elements of an array at its end. */
const opened = (doc: Doc, path: string): Found[] =>
  reach(doc, path.split('.')).flatMap(({ found, named }): Found[] =>
    Array.isArray(found) && !named ? [...found, found] : [found],
  );

const isNothing = (value: Found): boolean => value === NOTHING || value === null || value === undefined;

const equal = (found: Found, operand: Value): boolean =>
  operand === null ? isNothing(found) : found !== NOTHING && compare(found, operand) === 0;

const ordered = (found: Found, operand: Value, accepts: (order: number) => boolean): boolean => {
  const withEqual = accepts(0);
  if (operand === null) return withEqual && isNothing(found);
  if (operand instanceof MinKey && !(found instanceof MinKey)) return accepts(1);
  if (operand instanceof MaxKey && !(found instanceof MaxKey)) return accepts(-1);
  if (found === NOTHING || classOf(found) !== classOf(operand)) return false;
  if (isNaNumber(found) || isNaNumber(operand)) return withEqual && isNaNumber(found) && isNaNumber(operand);
  return accepts(compare(found, operand));
};

const orders: Record<string, (order: number) => boolean> = {
  $gt: (order) => order > 0,
  $gte: (order) => order >= 0,
  $lt: (order) => order < 0,
  $lte: (order) => order <= 0,
};

const matchesOperator = (doc: Doc, path: string, name: string, operand: Value): boolean => {
  const accepts = orders[name];
  if (accepts) return opened(doc, path).some((found) => ordered(found, operand, accepts));
  const list = Array.isArray(operand) ? operand : [];
  switch (name) {
    case '$eq':
      return opened(doc, path).some((found) => equal(found, operand));
    case '$ne':
      return !matchesOperator(doc, path, '$eq', operand);
    case '$in':
      return list.some((value) => matchesOperator(doc, path, '$eq', value));
    case '$nin':
      return !matchesOperator(doc, path, '$in', operand);
    case '$all':
      return list.length > 0 && list.every((value) => matchesOperator(doc, path, '$eq', value));
    case '$exists':
      return whole(doc, path).some((found) => found !== NOTHING) === operand;
    case '$size':
      return whole(doc, path).some((found) => Array.isArray(found) && found.length === toNumber(operand));
    case '$type':
      return opened(doc, path).some((found) => found !== NOTHING && isOfType(found, operand));
    case '$mod': {
      const [divisor = 1n, remainder = 0n] = list.map((value) => BigInt(toNumber(value)));
      return opened(doc, path).some((found) => {
        if (found === NOTHING || !isNumber(found)) return false;
        const whole = wholeOf(found);
        return whole !== undefined && whole % divisor === remainder;
      });
    }
    case '$not':
      return !matchesAll(doc, path, operand as Doc);
    case '$elemMatch':
      return whole(doc, path).some(
        (found) => Array.isArray(found) && found.some((element) => matchesElement(element, operand as Doc)),
      );
    default:
      throw new Error(`the reference implementation does not support ${name}`);
  }
};

const isOfType = (found: Value, type: Value): boolean =>
  type === 'number' ? isNumber(found) : typeName(found) === type;

const matchesElement = (element: Value, operand: Doc): boolean => {
  if (!isOperators(operand)) {
    if (Array.isArray(element)) return matchesNaively(operand, { ...element } as unknown as Doc);
    return isDoc(element) && matchesNaively(operand, element);
  }
  // The condition applies to the element itself. An array in it is not traversed.
  return Object.entries(operand).every(([name, value]) => {
    const accepts = orders[name];
    if (accepts) return ordered(element, value, accepts);
    if (name === '$eq') return equal(element, value);
    if (name === '$ne') return !equal(element, value);
    if (name === '$in') return (value as Value[]).some((one) => equal(element, one));
    throw new Error(`the reference implementation does not support ${name} in $elemMatch`);
  });
};

const isOperators = (value: Value): value is Doc =>
  isDoc(value) && Object.keys(value)[0]?.startsWith('$') === true;

const matchesAll = (doc: Doc, path: string, operators: Doc): boolean =>
  Object.entries(operators).every(([name, operand]) => matchesOperator(doc, path, name, operand));

/** The value of a field path in an aggregation expression. Arrays along the path result in arrays. */
const evaluate = (value: Found, path: readonly string[]): Found => {
  const [name = '', ...rest] = path;
  if (path.length === 0) return value;
  if (Array.isArray(value)) {
    const found = value.filter(isDoc).map((element) => evaluate(element, path));
    return found.filter((one) => one !== NOTHING);
  }
  return value !== NOTHING && isDoc(value) ? evaluate(own(value, name), rest) : NOTHING;
};

const matchesExpression = (doc: Doc, expression: Doc): boolean => {
  const [[operator = '', operands] = ['', []]] = Object.entries(expression);
  const values = operands as Value[];
  if (operator === '$and') return values.every((one) => matchesExpression(doc, one as Doc));
  if (operator === '$or') return values.some((one) => matchesExpression(doc, one as Doc));
  if (operator === '$not') return !matchesExpression(doc, values[0] as Doc);
  const [a, b] = values.map((operand): Found => {
    if (typeof operand === 'string' && operand.startsWith('$'))
      return evaluate(doc, operand.slice(1).split('.'));
    return isDoc(operand) && '$literal' in operand ? operand['$literal'] : operand;
  });
  const order = compare(a, b);
  const accepts = { ...orders, $eq: (n: number) => n === 0, $ne: (n: number) => n !== 0 }[operator];
  if (!accepts) throw new Error(`the reference implementation does not support ${operator} in $expr`);
  return accepts(order);
};

export const matchesNaively = (filter: Doc, doc: Doc): boolean =>
  Object.entries(filter).every(([name, value]) => {
    const each = (): boolean[] => (value as Doc[]).map((one) => matchesNaively(one, doc));
    if (name === '$and') return each().every(Boolean);
    if (name === '$or') return each().some(Boolean);
    if (name === '$nor') return !each().some(Boolean);
    if (name === '$expr') return matchesExpression(doc, value as Doc);
    return isOperators(value) ? matchesAll(doc, name, value) : matchesOperator(doc, name, '$eq', value);
  });
