import {
  Binary,
  BSONRegExp,
  Code,
  Decimal128,
  Double,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  serialize,
  Timestamp,
} from 'bson';
import { checkDocument } from './document-check.js';

const everything = {
  _id: new ObjectId(),
  double: new Double(1.5),
  text: 'grüße',
  doc: { list: [1, 'two', { three: 3 }] },
  binary: new Binary(Buffer.from('abc')),
  yes: true,
  date: new Date(0),
  nothing: null,
  regex: new BSONRegExp('^a', 'i'),
  code: new Code('x'),
  scoped: new Code('x', { y: 1 }),
  long: Long.fromNumber(5),
  stamp: new Timestamp({ t: 1, i: 2 }),
  decimal: Decimal128.fromString('1.5'),
  min: new MinKey(),
  max: new MaxKey(),
};

describe('checkDocument', () => {
  it('accepts a document with all types', () => {
    expect(() => checkDocument(serialize(everything))).not.toThrow();
  });

  it('never reads beyond the end, whichever byte is changed', () => {
    const bytes = serialize(everything);
    for (let at = 0; at < bytes.length; at++) {
      const changed = Uint8Array.from(bytes);
      changed[at] = 0xfe;
      try {
        checkDocument(changed);
      } catch (error) {
        expect([15, 22]).toContain((error as { code?: number }).code);
      }
    }
  });

  it.each([
    ['a length beyond its bytes', [9, 0, 0, 0, 0]],
    ['an unknown type', [8, 0, 0, 0, 0x55, 0x61, 0, 0]],
    ['a name without an end', [7, 0, 0, 0, 0x0a, 0x61, 0x00].slice(0, 6).concat(0x62)],
    ['a string longer than its document', [13, 0, 0, 0, 2, 0x61, 0, 99, 0, 0, 0, 0, 0]],
    ['an inner document longer than its own', [13, 0, 0, 0, 3, 0x61, 0, 99, 0, 0, 0, 0, 0]],
  ])('refuses %s', (_, bytes) => {
    expect(() => checkDocument(Uint8Array.from(bytes))).toThrow(
      expect.objectContaining({ code: 22 }) as Error,
    );
  });
});
