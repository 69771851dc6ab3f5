import { decode, encode } from '../values/bson.js';
import type { Doc } from '../values/bson.js';
import { detailsOf } from './validation-details.js';

const details = (filter: Doc, doc: Doc): unknown => decode(encode(detailsOf(filter, decode(encode(doc)))));
const plain = (doc: unknown): unknown => decode(encode(doc as Doc));

describe('detailsOf', () => {
  it('describes only the schema rules that are violated', () => {
    const schema = {
      title: 'Student',
      required: ['name', 'year'],
      additionalProperties: false,
      properties: {
        _id: {},
        name: { bsonType: 'string', minLength: 3 },
        year: { bsonType: 'int', minimum: 5, description: 'must be an int' },
        sub: { properties: { q: { enum: [1, 2] } } },
        list: { items: { bsonType: 'int' }, maxItems: 1 },
      },
    };
    const doc = { _id: 1, year: 'x', sub: { q: 3 }, list: [1, 'a'], more: 1 };
    const type = (bsonType: string, value: unknown): Doc => ({
      operatorName: 'bsonType',
      specifiedAs: { bsonType },
      reason: 'type did not match',
      consideredValue: value as string,
      consideredType: 'string',
    });
    expect(details({ $jsonSchema: schema }, doc)).toEqual(
      plain({
        operatorName: '$jsonSchema',
        title: 'Student',
        schemaRulesNotSatisfied: [
          {
            operatorName: 'properties',
            propertiesNotSatisfied: [
              { propertyName: 'year', description: 'must be an int', details: [type('int', 'x')] },
              {
                propertyName: 'sub',
                details: [
                  {
                    operatorName: 'properties',
                    propertiesNotSatisfied: [
                      {
                        propertyName: 'q',
                        details: [
                          {
                            operatorName: 'enum',
                            specifiedAs: { enum: [1, 2] },
                            reason: 'value was not found in enum',
                            consideredValue: 3,
                          },
                        ],
                      },
                    ],
                  },
                ],
              },
              {
                propertyName: 'list',
                details: [
                  {
                    operatorName: 'maxItems',
                    specifiedAs: { maxItems: 1 },
                    reason: 'array did not match specified length',
                    consideredValue: [1, 'a'],
                  },
                  {
                    operatorName: 'items',
                    reason: 'At least one item did not match the sub-schema',
                    itemIndex: 1,
                    details: [type('int', 'a')],
                  },
                ],
              },
            ],
          },
          {
            operatorName: 'additionalProperties',
            specifiedAs: { additionalProperties: false },
            additionalProperties: ['more'],
          },
          {
            operatorName: 'required',
            specifiedAs: { required: ['name', 'year'] },
            missingProperties: ['name'],
          },
        ],
      }),
    );
  });

  it.each<[Doc, Doc, Doc]>([
    [{ a: { $gt: 5 } }, { a: 1 }, { operatorName: '$gt', reason: 'comparison failed', consideredValue: 1 }],
    [{ a: 5 }, {}, { operatorName: '$eq', reason: 'field was missing' }],
    [
      { a: { $type: 'int' } },
      { a: 'x' },
      { operatorName: '$type', reason: 'type did not match', consideredValue: 'x', consideredType: 'string' },
    ],
    [{ a: { $exists: true } }, {}, { operatorName: '$exists', reason: 'path does not exist' }],
    [{ a: { $exists: false } }, { a: 1 }, { operatorName: '$exists', reason: 'path does exist' }],
    [
      { $expr: { $gt: ['$a', 1] } },
      { a: 1 },
      { operatorName: '$expr', reason: 'expression did not match', expressionResult: false },
    ],
    [
      { $jsonSchema: { oneOf: [{ required: ['a'] }, { required: ['b'] }] } },
      { a: 1, b: 1 },
      {
        operatorName: '$jsonSchema',
        schemaRulesNotSatisfied: [
          { operatorName: 'oneOf', reason: 'more than one subschema matched', schemasNotSatisfied: [] },
        ],
      },
    ],
  ])('%j', (filter, doc, expected) => {
    expect(details(filter, doc)).toMatchObject(plain(expected) as Doc);
  });

  it('reports each clause that fails', () => {
    expect(details({ a: { $gt: 1, $lt: 5 }, b: 1, $or: [{ c: 1 }, { c: 2 }] }, { a: 7, b: 1 })).toMatchObject(
      plain({
        operatorName: '$and',
        clausesNotSatisfied: [
          { index: 1, details: { operatorName: '$lt', specifiedAs: { a: { $lt: 5 } } } },
          {
            index: 3,
            details: {
              operatorName: '$or',
              clausesNotSatisfied: [
                { index: 0, details: { specifiedAs: { c: 1 }, reason: 'field was missing' } },
                { index: 1, details: { specifiedAs: { c: 2 } } },
              ],
            },
          },
        ],
      }) as Doc,
    );
  });
});
