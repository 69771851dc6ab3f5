import {
  Binary,
  BSONRegExp,
  BSONSymbol,
  Code,
  Decimal128,
  Double,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
} from 'bson';

/** The deprecated DBPointer type (0x0C), supported so that a stored value survives an update. */
export class DbPointer {
  constructor(
    readonly namespace: string,
    readonly oid: ObjectId,
  ) {}
}

/**
 * A BSON value as the store handles it. Numbers are not promoted, so types are preserved. Plain `number` and
 * `bigint` occur only in documents created by the server, and are treated as Int32 (integral and in range),
 * Double and Long. `undefined` is BSON undefined or a missing field.
 */
export type Value =
  | Int32
  | Long
  | Double
  | Decimal128
  | number
  | bigint
  | string
  | boolean
  | null
  | undefined
  | Date
  | ObjectId
  | Binary
  | BSONRegExp
  | Timestamp
  | Code
  | DbPointer
  | BSONSymbol
  | MinKey
  | MaxKey
  | Value[]
  | Doc;

/** A decoded document. Fields keep their order. Keys are in the form returned by `fieldKey`. */
export interface Doc {
  [field: string]: Value;
}

export type NumericValue = Int32 | Long | Double | Decimal128 | number | bigint;

/** BSON type numbers, as used by `$type`. */
export const BsonType = {
  minKey: -1,
  double: 1,
  string: 2,
  object: 3,
  array: 4,
  binData: 5,
  undefined: 6,
  objectId: 7,
  bool: 8,
  date: 9,
  null: 10,
  regex: 11,
  dbPointer: 12,
  javascript: 13,
  symbol: 14,
  javascriptWithScope: 15,
  int: 16,
  timestamp: 17,
  long: 18,
  decimal: 19,
  maxKey: 127,
} as const;

export type BsonTypeName = keyof typeof BsonType;

const BlankDoc = function (this: Doc) {} as unknown as { new (): Doc; prototype: object | null };
BlankDoc.prototype = Object.create(null) as object;

/**
 * An empty document without inherited properties, so `doc['toString']` is undefined and `__proto__` is an
 * ordinary field. Unlike `Object.create(null)`, it keeps V8's fast properties.
 */
export const newDoc = (): Doc => new BlankDoc();

const typeOfPrototype = new Map<object | null, number>([
  [null, BsonType.object],
  [Object.prototype, BsonType.object],
  [BlankDoc.prototype, BsonType.object],
  [Array.prototype, BsonType.array],
  [Int32.prototype, BsonType.int],
  [Double.prototype, BsonType.double],
  [Long.prototype, BsonType.long],
  [Decimal128.prototype, BsonType.decimal],
  [Date.prototype, BsonType.date],
  [ObjectId.prototype, BsonType.objectId],
  [Binary.prototype, BsonType.binData],
  [BSONRegExp.prototype, BsonType.regex],
  [Timestamp.prototype, BsonType.timestamp],
  [DbPointer.prototype, BsonType.dbPointer],
  [BSONSymbol.prototype, BsonType.symbol],
  [MinKey.prototype, BsonType.minKey],
  [MaxKey.prototype, BsonType.maxKey],
]);

const typeOfObject = (value: object): number => {
  const type = typeOfPrototype.get(Object.getPrototypeOf(value) as object | null);
  if (type !== undefined) return type;
  if (value instanceof Code) return value.scope ? BsonType.javascriptWithScope : BsonType.javascript;
  if (Array.isArray(value)) return BsonType.array;
  if (value instanceof Date) return BsonType.date;
  if (value instanceof Binary) return BsonType.binData;
  return BsonType.object;
};

/** Whether a plain number is stored as Int32. */
export const isInt32Number = (value: number): boolean => (value | 0) === value && !Object.is(value, -0);

/**
 * The BSON type number of a value. It is determined by prototype, so that fields of a document cannot imitate
 * a type.
 */
export const typeNumber = (value: Value): number => {
  switch (typeof value) {
    case 'string':
      return BsonType.string;
    case 'object':
      return value === null ? BsonType.null : typeOfObject(value);
    case 'number':
      return isInt32Number(value) ? BsonType.int : BsonType.double;
    case 'boolean':
      return BsonType.bool;
    case 'bigint':
      return BsonType.long;
    default:
      return BsonType.undefined;
  }
};

const nameOfType = new Map<number, BsonTypeName>(
  Object.entries(BsonType).map(([name, number]) => [number, name as BsonTypeName]),
);

/**
 * The name of a value's type in `$type` and in MongoDB's messages, such as `int`, `objectId` or `binData`.
 */
export const typeName = (value: Value): BsonTypeName => nameOfType.get(typeNumber(value)) ?? 'object';

export const isDoc = (value: unknown): value is Doc =>
  typeof value === 'object' &&
  value !== null &&
  typeOfPrototype.get(Object.getPrototypeOf(value) as object | null) === BsonType.object;

export const isNumericType = (type: number): boolean =>
  type === BsonType.int || type === BsonType.double || type === BsonType.long || type === BsonType.decimal;

export const isNumeric = (value: Value): value is NumericValue => isNumericType(typeNumber(value));

/**
 * Converts a value to a JavaScript number. A Long or Decimal128 is rounded if necessary. NaN if the value is
 * not a number.
 */
export const toNumber = (value: Value): number => {
  if (typeof value === 'number') return value;
  if (value instanceof Int32 || value instanceof Double) return value.value;
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Decimal128) return Number(value.toString());
  return typeNumber(value) === BsonType.long ? (value as Long).toNumber() : NaN;
};

export const int = (value: number): Int32 => new Int32(value);
export const double = (value: number): Double => new Double(value);
export const long = (value: number | bigint): Long =>
  typeof value === 'bigint' ? Long.fromBigInt(value) : Long.fromNumber(value);
