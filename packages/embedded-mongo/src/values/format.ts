import { Long } from 'bson';
import type { Binary, BSONRegExp, BSONSymbol, Code, ObjectId, Timestamp } from 'bson';
import { BsonType, toNumber, typeNumber } from './types.js';
import type { DbPointer, Doc, Value } from './types.js';

const formatDouble = (value: number): string => {
  if (Number.isNaN(value)) return 'nan.0';
  if (!Number.isFinite(value)) return value > 0 ? 'inf.0' : '-inf.0';
  return Number.isInteger(value) && Math.abs(value) < 1e15 ? `${value}.0` : String(value);
};

const formatRare = (type: number, value: Value): string => {
  switch (type) {
    case BsonType.regex:
      return `/${(value as BSONRegExp).pattern}/${(value as BSONRegExp).options}`;
    case BsonType.timestamp:
      return `Timestamp(${(value as Timestamp).t}, ${(value as Timestamp).i})`;
    case BsonType.binData: {
      const binary = value as Binary;
      const hex = Buffer.from(binary.buffer.subarray(0, binary.position)).toString('hex').toUpperCase();
      return `BinData(${binary.sub_type}, ${hex})`;
    }
    case BsonType.javascript:
      return (value as Code).code;
    case BsonType.javascriptWithScope:
      return `CodeWScope( ${(value as Code).code}, ${formatDoc((value as Code).scope as Doc)})`;
    case BsonType.symbol:
      return `"${(value as BSONSymbol).value}"`;
    case BsonType.dbPointer:
      return `DBRef('${(value as DbPointer).namespace}',${(value as DbPointer).oid.toHexString()})`;
    case BsonType.minKey:
      return 'MinKey';
    case BsonType.maxKey:
      return 'MaxKey';
    default:
      return String(value);
  }
};

/** Formats a value as in MongoDB's messages: `"text"`, `1.0`, `ObjectId('…')`, `[ 1, 2 ]`, `{ a: 1 }`. */
export const formatValue = (value: Value): string => {
  const type = typeNumber(value);
  switch (type) {
    case BsonType.string:
      return `"${value as string}"`;
    case BsonType.double:
      return formatDouble(toNumber(value));
    case BsonType.object:
      return formatDoc(value as Doc);
    case BsonType.array:
      return (value as Value[]).length === 0 ? '[]' : `[ ${(value as Value[]).map(formatValue).join(', ')} ]`;
    case BsonType.objectId:
      return `ObjectId('${(value as ObjectId).toHexString()}')`;
    case BsonType.date:
      return `new Date(${(value as Date).getTime()})`;
    case BsonType.null:
      return 'null';
    case BsonType.undefined:
      return 'undefined';
    case BsonType.bool:
    case BsonType.int:
    case BsonType.decimal:
      return String(value);
    case BsonType.long:
      return value instanceof Long ? value.toString() : String(value);
    default:
      return formatRare(type, value);
  }
};

export const formatDoc = (doc: Doc): string => {
  const fields = Object.keys(doc).map((name) => `${name}: ${formatValue(doc[name])}`);
  return fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`;
};

/** Formats one field in braces, as MongoDB does for an element: `{a: 1}`. */
export const formatElement = (name: string, value: Value): string => `{${name}: ${formatValue(value)}}`;
