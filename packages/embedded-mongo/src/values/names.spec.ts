import { serialize } from 'bson';
import { compareValues } from './compare.js';
import { decode } from './decode.js';
import { encode } from './encode.js';
import { ServerError } from './errors.js';
import { encodeKey } from './key.js';
import { fieldKey, fieldName, withoutMarks } from './names.js';
import { arrayIndexOf, getPath } from './path.js';

/** A Map keeps an order that an object would change. */
const bytes = serialize(
  new Map<string, unknown>([
    ['b', 1],
    ['10', 2],
    ['2', new Map<string, unknown>([['z', 1]])],
    ['01', 3],
    ['a', [{ '7': 'x' }]],
  ]),
);

describe('names that look like array indexes', () => {
  it('keep their position when decoded and encoded again', () => {
    expect(Buffer.from(encode(decode(bytes))).equals(Buffer.from(bytes))).toBe(true);
    expect(Object.keys(decode(bytes)).map(fieldName)).toEqual(['b', '10', '2', '01', 'a']);
  });

  it('are found by path and by position', () => {
    const doc = decode(bytes);
    expect(getPath(doc, '2.z')).toHaveLength(1);
    expect(getPath(doc, 'a.0.7')).toEqual(['x']);
    expect(arrayIndexOf(fieldKey('12'))).toBe(12);
  });

  it.each(['0', '7', '4294967294'])('%s is marked once', (name) => {
    expect(fieldKey(name)).not.toBe(name);
    expect(fieldKey(fieldKey(name))).toBe(fieldKey(name));
    expect(fieldName(fieldKey(name))).toBe(name);
  });

  it.each(['', '01', '-1', '1.5', 'a', '12345678901'])('%p is not marked', (name) => {
    expect(fieldKey(name)).toBe(name);
  });

  it('sort by their digits in comparisons and index keys', () => {
    const [digit, sign] = [{ [fieldKey('5')]: 1 }, { '!': 1 }];
    expect(compareValues(digit, sign)).toBeGreaterThan(0);
    expect(Buffer.compare(encodeKey([digit], [1]), encodeKey([sign], [1]))).toBeGreaterThan(0);
  });

  it('are shown without marks in messages', () => {
    expect(withoutMarks(`a.${fieldKey('3')}`)).toBe('a.3');
    expect(new ServerError('BadValue', `field '${fieldKey('3')}'`).message).toBe("field '3'");
  });

  it('rejects other names with null bytes', () => {
    expect(() => encode({ '\0a': 1 })).toThrow('null bytes');
  });
});
