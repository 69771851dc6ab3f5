import { Binary, deserialize, Double, Int32, Long, ObjectId, serialize, Timestamp } from 'bson';
import fc from 'fast-check';
import { anyDoc } from '../../test/arbitrary.js';
import {
  decode,
  docSize,
  encode,
  fieldNames,
  int,
  isDoc,
  newDoc,
  rawArray,
  RawDoc,
  rawField,
  readField,
  toNumber,
  typeName,
  withIdFirst,
} from './bson.js';
import type { Doc, Value } from './bson.js';
import { identical } from './compare.js';
import { ServerError } from './errors.js';

const codeOf = (work: () => unknown): number | undefined => {
  try {
    work();
  } catch (error) {
    return error instanceof ServerError ? error.code : -1;
  }
  return undefined;
};

describe('decode and encode', () => {
  it('round-trips any document with its types', () => {
    fc.assert(
      fc.property(anyDoc, (doc) => {
        const bytes = encode(doc);
        const again = decode(bytes);
        expect(identical(again, doc)).toBe(true);
        expect(Buffer.compare(encode(again), bytes)).toBe(0);
        expect(docSize(bytes)).toBe(bytes.length);
      }),
    );
  });

  it('writes the same bytes as the bson package', () => {
    fc.assert(
      fc.property(anyDoc, (doc) => {
        const plain = JSON.stringify(Object.keys(doc)).includes('__proto__') || hasSpecialNames(doc);
        fc.pre(!plain);
        expect(Buffer.compare(encode(doc), serialize(doc))).toBe(0);
      }),
    );
  });

  it('keeps __proto__, constructor and DBRef-like fields as ordinary fields', () => {
    const doc = newDoc();
    doc['__proto__'] = int(1);
    doc['constructor'] = 'x';
    doc['ref'] = { $ref: 'c', $id: int(2), $db: 'd' };
    const again = decode(encode(doc));
    expect(Object.keys(again)).toEqual(['__proto__', 'constructor', 'ref']);
    expect(again['toString']).toBeUndefined();
    expect(isDoc(again['ref'])).toBe(true);
    expect(again['ref']).toEqual({ $ref: 'c', $id: new Int32(2), $db: 'd' });
  });

  it('does not mistake a document with a _bsontype field for a BSON type', () => {
    const again = decode(serialize({ a: new Map(Object.entries({ _bsontype: 'Int32', value: 3 })) }));
    expect(typeName(again['a'])).toBe('object');
    expect(decode(encode(again))).toEqual(again);
  });

  it('encodes plain numbers, bigints, bytes and raw documents', () => {
    const again = decode(
      encode({
        i: 3,
        d: 2.5,
        big: 2 ** 40,
        zero: -0,
        n: 5n,
        skip: undefined,
        b: new Uint8Array([1]),
        r: new RawDoc(encode({ x: 1 })),
      }),
    );
    expect(again).toEqual({
      i: new Int32(3),
      d: new Double(2.5),
      big: new Double(2 ** 40),
      zero: new Double(-0),
      n: Long.fromNumber(5),
      b: new Binary(Buffer.from([1])),
      r: { x: new Int32(1) },
    });
  });

  it.each<[string, Buffer]>([
    ['too short', Buffer.from([5, 0, 0])],
    ['wrong length', Buffer.from([9, 0, 0, 0, 0])],
    ['not terminated', Buffer.from([5, 0, 0, 0, 1])],
    ['unknown type', Buffer.from([8, 0, 0, 0, 0x33, 0x61, 0, 0])],
    ['string too long', Buffer.from([13, 0, 0, 0, 2, 0x61, 0, 99, 0, 0, 0, 0, 0])],
    ['name not terminated', Buffer.from([7, 0, 0, 0, 8, 0x61, 0])],
    ['negative string length', Buffer.from([13, 0, 0, 0, 2, 0x61, 0, 0xff, 0xff, 0xff, 0xff, 0, 0])],
    ['value cut off', Buffer.from([10, 0, 0, 0, 16, 0x61, 0, 1, 0, 0])],
  ])('refuses malformed bytes: %s', (_name, bytes) => {
    expect(codeOf(() => decode(bytes))).toBe(22);
  });

  it('fails only with InvalidBSON, whichever byte is changed', () => {
    fc.assert(
      fc.property(anyDoc, fc.nat(), fc.nat(255), (doc, where, byte) => {
        const bytes = Buffer.from(encode(doc));
        bytes[where % bytes.length] = byte;
        expect([undefined, 22, 15]).toContain(codeOf(() => decode(bytes)));
      }),
    );
  });

  it('limits the depth to 200', () => {
    const nested = (depth: number): Doc => {
      let doc: Doc = {};
      for (let i = 1; i < depth; i++) doc = { a: doc };
      return doc;
    };
    expect(codeOf(() => decode(serialize(nested(201))))).toBe(15);
    expect(codeOf(() => encode(nested(201)))).toBe(15);
    expect(codeOf(() => decode(encode(nested(199))))).toBeUndefined();
  });

  it('agrees with the bson package on dates before and far after 1970', () => {
    for (const time of [-1, -8.64e15, 8.64e15, 0, 4294967296, -4294967297]) {
      const bytes = encode({ t: new Date(time) });
      expect(deserialize(bytes)['t']).toEqual(new Date(time));
      expect(decode(bytes)['t']).toEqual(new Date(time));
    }
  });
});

const special = new Set(['__proto__', '_bsontype', '$ref', '$id', 'toString', 'constructor']);

function hasSpecialNames(value: Value): boolean {
  if (Array.isArray(value)) return value.some(hasSpecialNames);
  if (typeName(value) === 'javascriptWithScope') return true;
  return (
    isDoc(value) && Object.entries(value).some(([name, inner]) => special.has(name) || hasSpecialNames(inner))
  );
}

describe('reading raw bytes', () => {
  const id = new ObjectId();

  it('reads one field with the same result as decoding the document', () => {
    fc.assert(
      fc.property(anyDoc, fc.constantFrom('a', 'b', 'c', '__proto__', 'missing'), (doc, name) => {
        const bytes = encode(doc);
        expect(identical(readField(bytes, name), decode(bytes)[name])).toBe(true);
        expect(fieldNames(bytes)).toEqual(Object.keys(doc));
      }),
    );
  });

  it('returns a document unchanged if _id comes first', () => {
    const bytes = encode({ _id: 1, a: 2 });
    expect(withIdFirst(bytes, () => id)).toBe(bytes);
  });

  it('moves _id to the front and adds a missing one', () => {
    const moved = decode(withIdFirst(encode({ a: 'x', _id: 7, b: [1] }), () => id));
    expect(Object.keys(moved)).toEqual(['_id', 'a', 'b']);
    expect(moved).toEqual({ _id: new Int32(7), a: 'x', b: [new Int32(1)] });
    expect(decode(withIdFirst(encode({ a: 'x' }), () => id))).toEqual({ _id: id, a: 'x' });
    expect(decode(withIdFirst(encode({}), () => id))).toEqual({ _id: id });
    expect(decode(withIdFirst(encode({ _idx: 1 }), () => id))).toEqual({ _id: id, _idx: new Int32(1) });
  });

  it('returns embedded documents as bytes', () => {
    const bytes = encode({ x: 1, docs: [{ a: 1 }, { b: 2 }], one: { c: 3 } });
    expect(rawArray(bytes, 'docs')?.map((doc) => decode(doc))).toEqual([
      { a: new Int32(1) },
      { b: new Int32(2) },
    ]);
    expect(decode(rawField(bytes, 'one') ?? encode({}))).toEqual({ c: new Int32(3) });
    expect(rawArray(bytes, 'x')).toBeUndefined();
  });
});

describe('types', () => {
  it('accepts numbers of every type and nothing else', () => {
    expect([int(1), new Double(1.5), Long.fromNumber(3), 4, 5n].map(toNumber)).toEqual([1, 1.5, 3, 4, 5]);
    expect(toNumber(new Timestamp({ t: 1, i: 1 }))).toBeNaN();
    expect(toNumber('1')).toBeNaN();
  });
});
