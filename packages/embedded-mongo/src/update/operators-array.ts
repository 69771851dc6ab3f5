import { BSONRegExp } from 'bson';
import { compileFilter, compileValueFilter } from '../query/matcher.js';
import { isOperatorDoc, logical } from '../query/parse.js';
import { compileSort } from '../query/sort.js';
import { formatElement, isDoc, isNumeric, toNumber, typeName } from '../values/bson.js';
import type { Doc, Value } from '../values/bson.js';
import { compareValues, equalValues } from '../values/compare.js';
import type { Collation } from '../values/compare.js';
import { ServerError } from '../values/errors.js';
import { isIntegral } from '../values/numbers.js';
import { MISSING } from '../values/path.js';
import type { Candidate } from '../values/path.js';
import { toRegExp } from '../values/regex.js';
import { idOf } from './operators-field.js';
import type { ChangeContext, FieldOperation } from './tree.js';

/** Like `OperationFactory`, with the collation of the update. */
export type ArrayOperationFactory = (argument: Value, path: string, collation?: Collation) => FieldOperation;

const bad = (message: string): ServerError => new ServerError('BadValue', message);

const lastName = (path: string): string => path.slice(path.lastIndexOf('.') + 1);

const hasEach = (argument: Value): argument is Doc => isDoc(argument) && Object.hasOwn(argument, '$each');

const eachOf = (argument: Doc, operator: string): Value[] => {
  const each = argument['$each'];
  if (!Array.isArray(each)) {
    const text =
      operator === '$push'
        ? `The argument to $each in ${operator} must be an array but it was of type: ${typeName(each)}`
        : `The argument to $each in ${operator} must be an array but it was of type ${typeName(each)}`;
    throw operator === '$push' ? bad(text) : new ServerError('TypeMismatch', text);
  }
  return each;
};

interface PushClauses {
  each: Value[];
  position: number | undefined;
  slice: number | undefined;
  sort: ((a: Value, b: Value) => number) | undefined;
}

const integerClause = (argument: Doc, name: '$position' | '$slice'): number | undefined => {
  const value = argument[name];
  if (value === undefined) return undefined;
  if (!isNumeric(value) || !isIntegral(value)) {
    throw bad(
      `The value for ${name} must be an integer value${name === '$slice' ? ' but was given type' : ', not of type'}: ${typeName(value)}`,
    );
  }
  return toNumber(value);
};

const sortClause = (argument: Doc, collation?: Collation): PushClauses['sort'] => {
  const sort = argument['$sort'];
  if (sort === undefined) return undefined;
  if (isNumeric(sort)) {
    const direction = toNumber(sort);
    if (direction !== 1 && direction !== -1) throw bad('The $sort element value must be either 1 or -1');
    return (a, b) => compareValues(a, b, collation) * direction;
  }
  if (!isDoc(sort)) {
    throw bad(
      'The $sort is invalid: use 1/-1 to sort the whole element, or {field:1/-1} to sort embedded fields',
    );
  }
  if (Object.keys(sort).length === 0)
    throw bad('The $sort pattern is empty when it should be a set of fields.');
  for (const [field, direction] of Object.entries(sort)) {
    if (!isNumeric(direction) || Math.abs(toNumber(direction)) !== 1)
      throw bad('The $sort element value must be either 1 or -1');
    if (field === '' || field.split('.').includes('')) {
      throw bad(`The $sort field is a dotted field but has an empty part: ${field}`);
    }
  }
  const compiled = compileSort(sort, collation);
  const docOf = (value: Value): Doc => (isDoc(value) ? value : {});
  return (a, b) => compiled.compare(docOf(a), docOf(b));
};

const pushClauses = (argument: Value, collation?: Collation): PushClauses => {
  if (!hasEach(argument)) {
    return { each: [argument], position: undefined, slice: undefined, sort: undefined };
  }
  const unknown = Object.keys(argument).find(
    (name) => !['$each', '$position', '$slice', '$sort'].includes(name),
  );
  if (unknown !== undefined) throw bad(`Unrecognized clause in $push: ${unknown}`);
  return {
    each: eachOf(argument, '$push'),
    position: integerClause(argument, '$position'),
    slice: integerClause(argument, '$slice'),
    sort: sortClause(argument, collation),
  };
};

const pushed = (values: Value[], clauses: PushClauses): Value[] => {
  const { each, position, slice, sort } = clauses;
  const at =
    position === undefined ? values.length : position < 0 ? Math.max(0, values.length + position) : position;
  const result = [...values.slice(0, at), ...each, ...values.slice(at)];
  if (sort) result.sort(sort);
  if (slice === undefined) return result;
  return slice < 0 ? result.slice(slice) : result.slice(0, slice);
};

const sameArrays = (a: Value[], b: Value[]): boolean =>
  a.length === b.length && a.every((value, i) => value === b[i]);

const push: ArrayOperationFactory = (argument, _path, collation) => {
  const clauses = pushClauses(argument, collation);
  const apply = (current: Candidate, path: string, context: ChangeContext): Candidate => {
    if (current !== MISSING && !Array.isArray(current)) {
      throw bad(
        `The field '${path}' must be an array but is of type ${typeName(current)} in document ${idOf(context.original)}`,
      );
    }
    const values = current === MISSING ? [] : current;
    const result = pushed(values, clauses);
    return current !== MISSING && sameArrays(values, result) ? current : result;
  };
  return { operator: '$push', creates: true, apply };
};

const addToSet: ArrayOperationFactory = (argument, _path, collation) => {
  const each = hasEach(argument) ? eachOf(argument, '$addToSet') : [argument];
  if (hasEach(argument) && Object.keys(argument).length > 1) {
    const other = Object.keys(argument).find((name) => name !== '$each') ?? '';
    throw bad(`Found unexpected fields after $each in $addToSet: ${formatElement(other, argument[other])}`);
  }
  const apply = (current: Candidate, path: string): Candidate => {
    if (current !== MISSING && !Array.isArray(current)) {
      throw bad(
        `Cannot apply $addToSet to non-array field. Field named '${lastName(path)}' has non-array type ${typeName(current)}`,
      );
    }
    const result = current === MISSING ? [] : [...current];
    for (const value of each) {
      if (!result.some((known) => equalValues(known, value, collation))) result.push(value);
    }
    return current !== MISSING && result.length === current.length ? current : result;
  };
  return { operator: '$addToSet', creates: true, apply };
};

const pop: ArrayOperationFactory = (argument, argumentPath) => {
  const end = isNumeric(argument) ? toNumber(argument) : NaN;
  if (Number.isNaN(end)) {
    throw new ServerError(
      'FailedToParse',
      `Expected a number in: ${argumentPath}: ${formatElement(argumentPath, argument)}`,
    );
  }
  if (end !== 1 && end !== -1) throw new ServerError('FailedToParse', `$pop expects 1 or -1, found: ${end}`);
  const apply = (current: Candidate, path: string): Candidate => {
    if (current === MISSING) return current;
    if (!Array.isArray(current)) {
      throw new ServerError(
        'TypeMismatch',
        `Path '${path}' contains an element of non-array type '${typeName(current)}'`,
      );
    }
    if (current.length === 0) return current;
    return end === 1 ? current.slice(0, -1) : current.slice(1);
  };
  return { operator: '$pop', creates: false, needsViablePath: true, apply };
};

const pullTest = (argument: Value, collation?: Collation): ((element: Value) => boolean) => {
  const options = collation ? { collation } : {};
  if (argument instanceof BSONRegExp) {
    const pattern = toRegExp(argument);
    return (element) =>
      (typeof element === 'string' && pattern.test(element)) ||
      (element instanceof BSONRegExp && equalValues(element, argument));
  }
  if (!isDoc(argument)) return (element) => equalValues(element, argument, collation);
  const first = Object.keys(argument)[0] ?? '';
  if (isOperatorDoc(argument) && !logical.has(first)) return compileValueFilter(argument, options);
  const filter = compileFilter(argument, options);
  return (element) => isDoc(element) && filter.matches(element);
};

const removal = (operator: string, test: (element: Value) => boolean): FieldOperation => ({
  operator,
  creates: false,
  apply: (current) => {
    if (current === MISSING) return current;
    if (!Array.isArray(current)) throw bad('Cannot apply $pull to a non-array value');
    const kept = current.filter((element) => !test(element));
    return kept.length === current.length ? current : kept;
  },
});

const pull: ArrayOperationFactory = (argument, _path, collation) =>
  removal('$pull', pullTest(argument, collation));

const pullAll: ArrayOperationFactory = (argument, _path, collation) => {
  if (!Array.isArray(argument)) {
    throw bad(`$pullAll requires an array argument but was given a ${typeName(argument)}`);
  }
  return removal('$pullAll', (element) => argument.some((value) => equalValues(element, value, collation)));
};

export const arrayOperators: Record<string, ArrayOperationFactory> = {
  $push: push,
  $addToSet: addToSet,
  $pop: pop,
  $pull: pull,
  $pullAll: pullAll,
};
