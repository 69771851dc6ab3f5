import fc from 'fast-check';
import { type JsonFault, JsonFaultError, MAX_JSON_DEPTH, parseExactJson } from './exact-json.js';

const parse = (text: string | Buffer, maxValues?: number): unknown =>
  parseExactJson(Buffer.isBuffer(text) ? text : Buffer.from(text), maxValues);

function errorOf(text: string | Buffer, maxValues?: number): JsonFaultError {
  try {
    parse(text, maxValues);
  } catch (error) {
    if (error instanceof JsonFaultError) return error;
    throw error;
  }
  throw new Error('the text was accepted');
}

const faultOf = (text: string | Buffer, maxValues?: number): JsonFault => errorOf(text, maxValues).fault;

describe('parseExactJson', () => {
  it('skips a byte order mark', () => {
    expect(parse('\uFEFF{"a":1}')).toEqual({ a: 1 });
  });

  it.each([
    ['Latin-1', Buffer.from('{"a":"é"}', 'latin1')],
    ['half a character', Buffer.from('{"a":"é"}').subarray(0, 7)],
    ['UTF-16', Buffer.from('{"a":1}é', 'utf16le')],
    ['a surrogate in UTF-8', Buffer.from([0x22, 0xed, 0xa0, 0xbd, 0x22])],
  ])('rejects a text that is not UTF-8: %s', (_what, bytes) => {
    expect(faultOf(bytes)).toBe('invalid_encoding');
  });

  it.each(['', ' ', '{', '{"a"}', '[1,]', '01', '+1', 'nul', '"\t"', '"a', '{"a":1}}', '"\\u12"', "{'a':1}"])(
    'rejects what is not JSON: %j',
    (text) => {
      expect(faultOf(text)).toBe('invalid_json');
    },
  );

  it('quotes no half characters of malformed JSON', () => {
    expect(errorOf(`{"a": ${'😀'.repeat(30)}}`).message).not.toMatch(/\p{Surrogate}/u);
  });

  describe('numbers', () => {
    it.each([
      '0',
      '-0',
      '0.0',
      '0e400',
      '7',
      '0.1',
      '1.50',
      '1e2',
      '1E+2',
      '123456789012345',
      '9007199254740991',
      '9007199254740994',
      '123456789012345680',
      '1e21',
      '1e22',
      '1.7976931348623157e308',
      '5e-324',
      '0.30000000000000004',
      '0.10000000000000001',
      '0.1000000000000000000000',
      '100000000000000000000',
    ])('keeps %s', (text) => {
      expect(parse(`[${text}]`)).toEqual([Number(text)]);
    });

    it.each([
      '9007199254740993',
      '-9007199254740993',
      '820982911946154508',
      '820982911946154496',
      '1e400',
      '-1e400',
      '1e-400',
      '12345678901234567890',
      '0.1234567890123456789',
      '9007199254740993.0',
      '9007199254740993e0',
      '1.0000000000000000001',
      '123456789.123456789123',
      '3e-324',
      `1${'0'.repeat(400)}`,
    ])('rejects %s', (text) => {
      expect(faultOf(`[${text}]`)).toBe('number_not_exact');
    });

    it('says which number, and what to do', () => {
      const { message } = errorOf('{"a":[0,{"b":"x","order":820982911946154508}]}');
      expect(message).toBe(
        'has a number that cannot be kept exactly at "a.1.order" (byte 25): send it as a string.',
      );
    });

    it('keeps the text of every double', () => {
      fc.assert(
        fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
          expect(parse(JSON.stringify([value]))).toEqual([value === 0 ? 0 : value]);
          if (!Number.isInteger(value)) expect(parse(value.toPrecision(17))).toBe(value);
        }),
      );
    });

    it('keeps an integer if its text comes back the same', () => {
      fc.assert(
        fc.property(fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }), (value) => {
          if (String(Number(value)) === String(value)) expect(parse(String(value))).toBe(Number(value));
          else if (BigInt(Number(value)) !== value) expect(faultOf(String(value))).toBe('number_not_exact');
        }),
      );
    });
  });

  it.each([
    ['"\\ud83d"'],
    ['"a\\ud83db"'],
    ['"\\ude00"'],
    ['"\\ud83d\\ud83d"'],
    ['"\\ude00\\ud83d"'],
    ['"\\uD83D\\n"'],
    ['{"\\ud83d":1}'],
    ['{"a":[{"b":"\\udbff"}]}'],
    ['"\\\\\\ud83d"'],
  ])('rejects half of a surrogate pair: %s', (text) => {
    expect(faultOf(text)).toBe('lone_surrogate');
  });

  it('keeps escaped characters, and backslashes before a "u"', () => {
    expect(parse('["\\ud83d\\ude00","\\\\ud83d","\\u0000","\\"\\/\\b"]')).toEqual([
      '😀',
      '\\ud83d',
      '\0',
      '"/\b',
    ]);
  });

  it.each(['{"__proto__":1}', '[{"a":{"__proto__":{}}}]', '{"\\u005f_proto__":1}', '{"__proto__" :1}'])(
    'rejects the key of the prototype: %s',
    (text) => {
      expect(faultOf(text)).toBe('forbidden_key');
    },
  );

  it.each([
    '{"constructor":{"prototype":{}}}',
    '{"toString":1,"hasOwnProperty":2}',
    '["__proto__"]',
    '{"__proto":1}',
  ])('keeps %s', (text) => {
    expect(JSON.stringify(parse(text))).toBe(text);
  });

  it.each(['{"a":1,"a":1}', '{"a":1,"\\u0061":2}', '[{"b":{"a":1,"c":1,"a":2}}]', '{"a":1,"":2,"":3}'])(
    'rejects a repeated key: %s',
    (text) => {
      expect(faultOf(text)).toBe('duplicate_key');
    },
  );

  describe('limits', () => {
    it('rejects a text that is nested too deeply', () => {
      const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
      expect(parse(nested(MAX_JSON_DEPTH))).toBeInstanceOf(Array);
      expect(faultOf(nested(MAX_JSON_DEPTH + 1))).toBe('too_deep');
      expect(faultOf('{"a":'.repeat(100_000))).toBe('too_deep');
    });

    it('counts values and keys, and rejects before the parser runs', () => {
      expect(parse('[1,{"a":[]}]', 5)).toEqual([1, { a: [] }]);
      const parser = jest.spyOn(JSON, 'parse');
      expect(faultOf('[1,{"a":[]}]', 4)).toBe('too_many_values');
      expect(faultOf(`[${Array(1000).fill('{}').join()}]`, 1000)).toBe('too_many_values');
      expect(parser).not.toHaveBeenCalled();
      parser.mockRestore();
    });
  });

  it('returns what JSON.parse returns, for every document', () => {
    const anything = fc.anything({ key: fc.string({ unit: 'binary' }), withNullPrototype: false });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json(),
          anything.map((value) => JSON.stringify(value) ?? 'null'),
        ),
        (text) => {
          let value: unknown;
          try {
            value = parse(text);
          } catch (error) {
            expect(error).toMatchObject({
              fault: expect.stringMatching(/^(lone_surrogate|forbidden_key)$/) as string,
            });
            expect(text).toMatch(/\\ud[89a-f]|__proto__/i);
            return;
          }
          expect(value).toEqual(JSON.parse(text));
        },
      ),
      { numRuns: 500 },
    );
  });

  it('accepts no malformed text', () => {
    const broken = fc
      .tuple(
        fc.json(),
        fc.nat(),
        fc.constantFrom('"', '\\', '{', '}', '[', ']', ',', ':', '-', 'e', '.', '0', 'u', ''),
      )
      .map(([text, at, change]) => {
        const position = at % (text.length + 1);
        return text.slice(0, position) + change + text.slice(position + 1);
      });
    fc.assert(
      fc.property(broken, (text) => {
        let expected: unknown;
        try {
          expected = JSON.parse(text);
        } catch {
          expect(() => parse(text)).toThrow(JsonFaultError);
          return;
        }
        try {
          expect(parse(text)).toEqual(expected);
        } catch (error) {
          if (!(error instanceof JsonFaultError)) throw error;
          expect(error.fault).not.toBe('invalid_json');
        }
      }),
      { numRuns: 500 },
    );
  });
});
