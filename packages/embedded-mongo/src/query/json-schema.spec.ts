import { Decimal128, Double, Int32, Long } from 'bson';
import type { Doc, Value } from '../values/bson.js';
import { compileJsonSchema } from './json-schema.js';

describe('compileJsonSchema', () => {
  it.each<[Doc, Value, boolean]>([
    [{ bsonType: 'int' }, new Int32(1), true],
    [{ bsonType: 'int' }, new Double(1), false],
    [{ bsonType: ['int', 'null'] }, null, true],
    [{ type: 'number' }, Long.fromNumber(1), true],
    [{ type: 'boolean' }, true, true],
    [{ enum: [1, 'x', null] }, new Double(1), true],
    [{ enum: [1] }, 2, false],
    [{ required: ['a', 'b'] }, { a: 1 }, false],
    [{ required: ['a'] }, 'no document', true],
    [{ properties: { a: { type: 'string' } } }, { a: 1 }, false],
    [{ properties: { a: { type: 'string' } } }, {}, true],
    [{ properties: { a: { properties: { b: { minimum: 3 } } } } }, { a: { b: 2 } }, false],
    [{ patternProperties: { '^n': { type: 'number' } } }, { name: 'x' }, false],
    [{ properties: { a: {} }, additionalProperties: false }, { a: 1, b: 2 }, false],
    [
      { properties: { a: {} }, patternProperties: { '^b': {} }, additionalProperties: false },
      { a: 1, b: 2 },
      true,
    ],
    [{ additionalProperties: { type: 'string' } }, { a: 1 }, false],
    [{ dependencies: { a: ['b'] } }, { a: 1 }, false],
    [{ dependencies: { a: { required: ['b'] } } }, { a: 1, b: 1 }, true],
    [{ minProperties: 1, maxProperties: 2 }, {}, false],
    [{ items: { type: 'number' } }, [1, 'x'], false],
    [{ items: [{ type: 'number' }], additionalItems: false }, [1, 2], false],
    [{ items: [{ type: 'number' }], additionalItems: { type: 'string' } }, [1, 'x'], true],
    [{ minItems: 2 }, [1], false],
    [{ maxItems: 1 }, [1, 2], false],
    [{ uniqueItems: true }, [1, new Double(1)], false],
    [{ uniqueItems: true }, [1, 2], true],
    [{ minimum: 1 }, 1, true],
    [{ minimum: 1, exclusiveMinimum: true }, 1, false],
    [{ maximum: 1, exclusiveMaximum: true }, new Decimal128('0.9'), true],
    [{ multipleOf: new Double(2.5) }, 5, true],
    [{ multipleOf: 2 }, 5, false],
    [{ minLength: 2, maxLength: 2 }, '😀x', true],
    [{ maxLength: 1 }, 'ab', false],
    [{ pattern: '^a' }, 'ba', false],
    [{ allOf: [{ minimum: 1 }, { maximum: 2 }] }, 3, false],
    [{ anyOf: [{ type: 'string' }, { minimum: 5 }] }, 3, false],
    [{ oneOf: [{ minimum: 1 }, { minimum: 2 }] }, 1, true],
    [{ oneOf: [{ minimum: 1 }, { minimum: 2 }] }, 3, false],
    [{ not: { type: 'string' } }, 'x', false],
    [{ title: 'a', description: 'b' }, 1, true],
  ])('%j on %j is %s', (schema, value, expected) => {
    expect(compileJsonSchema(schema)(value)).toBe(expected);
  });

  it.each<[Doc, number]>([
    [{ foo: 1 }, 9],
    [{ $ref: '#/a' }, 9],
    [{ type: 'integer' }, 9],
    [{ required: [] }, 9],
    [{ required: 'a' }, 14],
    [{ properties: 1 }, 14],
    [{ exclusiveMinimum: true }, 9],
    [{ multipleOf: 0 }, 9],
    [{ bsonType: 'foo' }, 2],
    [{ type: 'object', bsonType: 'object' }, 9],
    [{ minLength: -1 }, 9],
  ])('refuses %j with code %d', (schema, code) => {
    expect(() => compileJsonSchema(schema)).toThrow(expect.objectContaining({ code }));
  });
});
