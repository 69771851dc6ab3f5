import type { Binary, BSONRegExp, BSONSymbol, Code, ObjectId, Timestamp } from 'bson';
import type { Collation } from './collation.js';
import { compareNumbers } from './numbers.js';
import { fieldName } from './names.js';
import { BsonType, typeNumber } from './types.js';
import type { DbPointer, Doc, NumericValue, Value } from './types.js';

export { parseCollation } from './collation.js';
export type { Collation } from './collation.js';
export { compareNumbers } from './numbers.js';
export { typeName, typeNumber } from './types.js';

/** Type classes in BSON order. Values of different classes compare by these numbers. */
export const Bracket = {
  minKey: 1,
  undefined: 2,
  null: 5,
  number: 10,
  string: 15,
  object: 20,
  array: 25,
  binData: 30,
  objectId: 35,
  bool: 40,
  date: 45,
  timestamp: 47,
  regex: 50,
  dbPointer: 55,
  javascript: 60,
  javascriptWithScope: 65,
  maxKey: 127,
} as const;

const brackets: Partial<Record<number, number>> = {
  [BsonType.minKey]: Bracket.minKey,
  [BsonType.undefined]: Bracket.undefined,
  [BsonType.null]: Bracket.null,
  [BsonType.int]: Bracket.number,
  [BsonType.long]: Bracket.number,
  [BsonType.double]: Bracket.number,
  [BsonType.decimal]: Bracket.number,
  [BsonType.string]: Bracket.string,
  [BsonType.symbol]: Bracket.string,
  [BsonType.object]: Bracket.object,
  [BsonType.array]: Bracket.array,
  [BsonType.binData]: Bracket.binData,
  [BsonType.objectId]: Bracket.objectId,
  [BsonType.bool]: Bracket.bool,
  [BsonType.date]: Bracket.date,
  [BsonType.timestamp]: Bracket.timestamp,
  [BsonType.regex]: Bracket.regex,
  [BsonType.dbPointer]: Bracket.dbPointer,
  [BsonType.javascript]: Bracket.javascript,
  [BsonType.javascriptWithScope]: Bracket.javascriptWithScope,
  [BsonType.maxKey]: Bracket.maxKey,
};

export const bracketOfType = (type: number): number => brackets[type] ?? Bracket.object;

/**
 * The class of a value's type in BSON order. All numeric types form one class, and so do strings and symbols.
 */
export const bracket = (value: Value): number => bracketOfType(typeNumber(value));

const order = (a: number, b: number): number => (a < b ? -1 : a > b ? 1 : 0);

/** Ranks surrogates above all other code units, so that UTF-16 code units sort in code point order. */
const unitRank = (unit: number): number =>
  unit >= 0xe000 ? unit - 0x800 : unit >= 0xd800 ? unit + 0x2000 : unit;

/** Compares by UTF-8 bytes, which is the same as by code points. */
export const compareUtf8 = (a: string, b: string): number => {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return unitRank(x) < unitRank(y) ? -1 : 1;
  }
  return order(a.length, b.length);
};

export const compareStrings = (a: string, b: string, collation?: Collation): number =>
  collation ? compareUtf8(collation.key(a), collation.key(b)) : compareUtf8(a, b);

const textOf = (value: Value): string => (typeof value === 'string' ? value : (value as BSONSymbol).value);

const compareDocs = (a: Doc, b: Doc, collation?: Collation): number => {
  const namesA = Object.keys(a);
  const namesB = Object.keys(b);
  const length = Math.min(namesA.length, namesB.length);
  for (let i = 0; i < length; i++) {
    const nameA = namesA[i] ?? '';
    const nameB = namesB[i] ?? '';
    const valueA = a[nameA];
    const valueB = b[nameB];
    const result =
      order(bracket(valueA), bracket(valueB)) ||
      compareUtf8(fieldName(nameA), fieldName(nameB)) ||
      compareValues(valueA, valueB, collation);
    if (result !== 0) return result;
  }
  return order(namesA.length, namesB.length);
};

const compareArrays = (a: Value[], b: Value[], collation?: Collation): number => {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const result = compareValues(a[i], b[i], collation);
    if (result !== 0) return result;
  }
  return order(a.length, b.length);
};

/** Length as stored in BSON. The deprecated binary subtype 2 contains its length a second time. */
export const binaryLength = (value: Binary): number => value.position + (value.sub_type === 2 ? 4 : 0);

const compareBinary = (a: Binary, b: Binary): number =>
  order(binaryLength(a), binaryLength(b)) ||
  order(a.sub_type, b.sub_type) ||
  Buffer.compare(a.buffer.subarray(0, a.position), b.buffer.subarray(0, b.position));

const compareRare = (kind: number, a: Value, b: Value, collation?: Collation): number => {
  switch (kind) {
    case Bracket.timestamp: {
      const [x, y] = [a as Timestamp, b as Timestamp];
      return order(x.t, y.t) || order(x.i, y.i);
    }
    case Bracket.regex: {
      const [x, y] = [a as BSONRegExp, b as BSONRegExp];
      return compareUtf8(x.pattern, y.pattern) || compareUtf8(x.options, y.options);
    }
    case Bracket.dbPointer: {
      const [x, y] = [a as DbPointer, b as DbPointer];
      return compareUtf8(x.namespace, y.namespace) || Buffer.compare(x.oid.id, y.oid.id);
    }
    case Bracket.javascript:
      return compareUtf8((a as Code).code, (b as Code).code);
    case Bracket.javascriptWithScope: {
      const [x, y] = [a as Code, b as Code];
      return compareUtf8(x.code, y.code) || compareDocs(x.scope as Doc, y.scope as Doc, collation);
    }
    default:
      return 0;
  }
};

const compareAlike = (kind: number, a: Value, b: Value, collation?: Collation): number => {
  switch (kind) {
    case Bracket.number:
      return compareNumbers(a as NumericValue, b as NumericValue);
    case Bracket.string:
      return compareStrings(textOf(a), textOf(b), collation);
    case Bracket.object:
      return compareDocs(a as Doc, b as Doc, collation);
    case Bracket.array:
      return compareArrays(a as Value[], b as Value[], collation);
    case Bracket.binData:
      return compareBinary(a as Binary, b as Binary);
    case Bracket.objectId:
      return Buffer.compare((a as ObjectId).id, (b as ObjectId).id);
    case Bracket.bool:
      return order(Number(a), Number(b));
    case Bracket.date:
      return order((a as Date).getTime(), (b as Date).getTime());
    default:
      return compareRare(kind, a, b, collation);
  }
};

/**
 * Compares values of any type in BSON order. Numbers compare exactly across types, strings by UTF-8 bytes or
 * by the collation, and documents field by field by type class, name and value. Returns a negative, zero or
 * positive number.
 */
export function compareValues(a: Value, b: Value, collation?: Collation): number {
  if (typeof a === 'string' && typeof b === 'string') return compareStrings(a, b, collation);
  const kindA = bracket(a);
  const kindB = bracket(b);
  return kindA === kindB ? compareAlike(kindA, a, b, collation) : order(kindA, kindB);
}

export const equalValues = (a: Value, b: Value, collation?: Collation): boolean =>
  a === b || compareValues(a, b, collation) === 0;

const sameObjects = (a: Doc, b: Doc): boolean => {
  const names = Object.keys(a);
  const others = Object.keys(b);
  return (
    names.length === others.length &&
    names.every((name, i) => name === others[i] && identical(a[name], b[name]))
  );
};

/** Whether two values have the same types and contents at every level, so that their BSON bytes are equal. */
export const identical = (a: Value, b: Value): boolean => {
  if (a === b) return typeof a !== 'number' || Object.is(a, b);
  const type = typeNumber(a);
  if (type !== typeNumber(b)) return false;
  if (type === BsonType.object) return sameObjects(a as Doc, b as Doc);
  if (type === BsonType.array) {
    const [x, y] = [a as Value[], b as Value[]];
    return x.length === y.length && x.every((value, i) => identical(value, y[i]));
  }
  if (type === BsonType.double) return Object.is(Number(a), Number(b));
  if (type === BsonType.decimal) return String(a) === String(b);
  return compareValues(a, b) === 0;
};
