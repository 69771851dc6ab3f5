import { Binary, Timestamp } from 'bson';
import { encode, fieldKey, fieldName, int, isDoc, long, newDoc } from '../values/bson.js';
import type { Doc, Value } from '../values/bson.js';
import { fail, isNullish, namedOperand, nullable, typeText, variadic } from './scope.js';
import type { OperatorCompiler, Operators } from './scope.js';

const merge = variadic((values) => {
  const list = values.length === 1 && Array.isArray(values[0]) ? values[0] : values;
  const merged = newDoc();
  for (const value of list) {
    if (isNullish(value)) continue;
    if (!isDoc(value))
      throw fail(40400, `$mergeObjects requires object inputs, but input of type ${typeText(value)}`);
    Object.assign(merged, value);
  }
  return merged;
});

const toArray = nullable((value) => {
  if (!isDoc(value)) throw fail(40390, `$objectToArray requires a document input, found: ${typeText(value)}`);
  return Object.keys(value).map((name): Doc =>
    Object.assign(newDoc(), { k: fieldName(name), v: value[name] }),
  );
});

const getField: OperatorCompiler = (operand, compile, name) => {
  const long = isDoc(operand) && Object.hasOwn(operand, 'field');
  const given = long ? namedOperand(operand, name, ['field', 'input'], ['field']) : { field: operand };
  const field = compile(given['field']);
  const input = compile(Object.hasOwn(given, 'input') ? given['input'] : '$$CURRENT');
  return (scope) => {
    const key = field(scope);
    if (typeof key !== 'string')
      throw fail(3041704, `$getField requires 'field' to evaluate to type String, but got ${typeText(key)}`);
    const doc = input(scope);
    if (isNullish(doc)) return doc;
    const own = fieldKey(key);
    return isDoc(doc) && Object.hasOwn(doc, own) ? doc[own] : undefined;
  };
};

const setField =
  (fields: readonly string[], remove: boolean): OperatorCompiler =>
  (operand, compile, name) => {
    const given = namedOperand(operand, name, fields, fields);
    const field = compile(given['field']);
    const input = compile(given['input']);
    const value = remove ? (): Value => undefined : compile(given['value']);
    return (scope) => {
      const given = field(scope);
      if (typeof given !== 'string')
        throw fail(
          4161107,
          `${name} requires 'field' to evaluate to type String, but got ${typeText(given)}`,
        );
      const key = fieldKey(given);
      const doc = input(scope);
      if (isNullish(doc)) return null;
      if (!isDoc(doc)) throw fail(4161105, `${name} requires 'input' to evaluate to type Object`);
      const next = value(scope);
      const result = newDoc();
      for (const other of Object.keys(doc))
        if (other !== key || next !== undefined) result[other] = doc[other];
      if (next !== undefined) result[key] = next;
      return result;
    };
  };

const timestampOf = (value: Value, name: string): Timestamp => {
  if (!(value instanceof Timestamp))
    throw fail(5687301, `${name} requires a timestamp argument, found: ${typeText(value)}`);
  return value;
};

/** Operators on documents, and on the size and parts of other values. */
export const objectOperators: Operators = {
  $mergeObjects: merge,
  $objectToArray: toArray,
  $getField: getField,
  $setField: setField(['field', 'input', 'value'], false),
  $unsetField: setField(['field', 'input'], true),
  $bsonSize: nullable((value) => {
    if (!isDoc(value)) throw fail(31393, `$bsonSize requires a document input, found: ${typeText(value)}`);
    return int(encode(value).length);
  }),
  $binarySize: nullable((value) => {
    if (typeof value === 'string') return int(Buffer.byteLength(value));
    if (value instanceof Binary) return int(value.position);
    throw fail(51276, `$binarySize requires a string or BinData argument, found: ${typeText(value)}`);
  }),
  $tsSecond: nullable((value, name) => long(timestampOf(value, name).t)),
  $tsIncrement: nullable((value, name) => long(timestampOf(value, name).i)),
};
