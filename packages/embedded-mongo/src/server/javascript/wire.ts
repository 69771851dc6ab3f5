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
import { BsonType, newDoc, toNumber, typeNumber } from '../../values/bson.js';
import type { Doc, Value } from '../../values/bson.js';

/** A value on its way into or out of a sandbox, as JSON. Documents keep the order of their fields. */
export type Wire = string | boolean | number | null | Wire[] | WireObject;

interface WireObject {
  $: string;
  v?: Wire;
  o?: Wire;
}

const object = ($: string, v?: Wire, o?: Wire): WireObject => ({
  $,
  ...(v !== undefined && { v }),
  ...(o !== undefined && { o }),
});

const toWireRare = (value: Value): Wire => {
  if (value instanceof BSONRegExp) {
    const flags = [...value.options].filter((flag) => 'ims'.includes(flag)).join('');
    return object('regex', value.pattern, flags);
  }
  if (value instanceof Timestamp) return object('time', value.t, value.i);
  if (value instanceof Binary) {
    const bytes = Buffer.from(value.buffer.subarray(0, value.position));
    return object('bin', bytes.toString('base64'), value.sub_type);
  }
  if (value instanceof MinKey) return object('min');
  if (value instanceof MaxKey) return object('max');
  if (value instanceof Code) return object('code', String(value.code));
  if (value instanceof BSONSymbol) return value.value;
  return object('undefined');
};

export const toWire = (value: Value): Wire => {
  switch (typeNumber(value)) {
    case BsonType.string:
    case BsonType.bool:
    case BsonType.null:
      return value as string | boolean | null;
    case BsonType.int:
    case BsonType.double:
      return object('number', String(toNumber(value)));
    case BsonType.long:
      return object('long', String(value));
    case BsonType.decimal:
      return object('decimal', String(value));
    case BsonType.objectId:
      return object('id', (value as ObjectId).toHexString());
    case BsonType.date:
      return object('date', (value as Date).getTime());
    case BsonType.array:
      return (value as Value[]).map(toWire);
    case BsonType.object:
      return object(
        'doc',
        Object.entries(value as Doc).map(([name, inner]): Wire => [name, toWire(inner)]),
      );
    default:
      return toWireRare(value);
  }
};

const fromObject = ({ $, v, o }: WireObject): Value => {
  switch ($) {
    case 'doc': {
      const doc = newDoc();
      for (const pair of v as [string, Wire][]) {
        const value = fromWire(pair[1]);
        if (value !== undefined) doc[pair[0]] = value;
      }
      return doc;
    }
    case 'number':
      return new Double(Number(v));
    case 'int':
      return new Int32(Number(v));
    case 'long':
      return Long.fromString(String(v));
    case 'decimal':
      return Decimal128.fromString(String(v));
    case 'id':
      return new ObjectId(String(v));
    case 'date':
      return new Date(Number(v));
    case 'regex':
      return new BSONRegExp(
        String(v),
        [...String(o)]
          .filter((flag) => 'ims'.includes(flag))
          .sort()
          .join(''),
      );
    case 'time':
      return new Timestamp({ t: Number(v), i: Number(o) });
    case 'bin':
      return new Binary(Buffer.from(String(v), 'base64'), Number(o));
    case 'min':
      return new MinKey();
    case 'max':
      return new MaxKey();
    case 'code':
      return new Code(String(v));
    default:
      return undefined;
  }
};

/** The value that a sandbox gave. Numbers become doubles, as in MongoDB. */
export const fromWire = (wire: Wire): Value => {
  if (typeof wire !== 'object' || wire === null) return wire;
  return Array.isArray(wire) ? wire.map((item) => fromWire(item) ?? null) : fromObject(wire);
};
