import { fieldKey, fieldName, formatValue, isDoc, isNumeric, typeNumber } from '../values/bson.js';
import type { Doc, NumericValue, Value } from '../values/bson.js';
import { compareNumbers, compareValues, equalValues } from '../values/compare.js';
import { ServerError } from '../values/errors.js';
import { isZero, remainder } from '../values/numbers.js';
import { getField, MISSING } from '../values/path.js';
import { checkedRegex, toRegExp } from '../values/regex.js';
import { parseTypes, wholeNumber } from './types.js';

/** Whether the schema accepts a value or document. */
export type SchemaTest = (value: Value) => boolean;

const mismatch = (message: string): ServerError => new ServerError('TypeMismatch', message);
const malformed = (message: string): ServerError => new ServerError('FailedToParse', message);

const docOperand = (keyword: string, operand: Value): Doc => {
  if (!isDoc(operand)) throw mismatch(`$jsonSchema keyword '${keyword}' must be an object`);
  return operand;
};

const arrayOperand = (keyword: string, operand: Value): Value[] => {
  if (!Array.isArray(operand)) throw mismatch(`$jsonSchema keyword '${keyword}' must be an array`);
  return operand;
};

const numberOperand = (keyword: string, operand: Value): NumericValue => {
  if (!isNumeric(operand)) throw mismatch(`$jsonSchema keyword '${keyword}' must be a number`);
  return operand;
};

const countOperand = (keyword: string, operand: Value): number => {
  const count = wholeNumber(operand, () =>
    malformed(`$jsonSchema keyword '${keyword}' must be a non-negative integer`),
  );
  if (count < 0) throw malformed(`$jsonSchema keyword '${keyword}' must be a non-negative integer`);
  return count;
};

const names = (keyword: string, operand: Value): string[] =>
  arrayOperand(keyword, operand).map((name) => {
    if (typeof name !== 'string')
      throw mismatch(`$jsonSchema keyword '${keyword}' must be an array of strings`);
    return fieldKey(name);
  });

const ifNumber =
  (test: (value: NumericValue) => boolean): SchemaTest =>
  (value) =>
    !isNumeric(value) || test(value);
const ifString =
  (test: (value: string) => boolean): SchemaTest =>
  (value) =>
    typeof value !== 'string' || test(value);
const ifArray =
  (test: (value: Value[]) => boolean): SchemaTest =>
  (value) =>
    !Array.isArray(value) || test(value);
const ifDoc =
  (test: (value: Doc) => boolean): SchemaTest =>
  (value) =>
    !isDoc(value) || test(value);

const jsonTypes: Record<string, readonly Value[]> = {
  object: ['object'],
  array: ['array'],
  string: ['string'],
  number: ['number'],
  boolean: ['bool'],
  null: ['null'],
};

const parseJsonType = (operand: Value): ReadonlySet<number> => {
  const list = Array.isArray(operand) ? operand : [operand];
  const types = list.flatMap((name) => {
    const found = typeof name === 'string' && Object.hasOwn(jsonTypes, name) ? jsonTypes[name] : undefined;
    if (name === 'integer') throw malformed("$jsonSchema type 'integer' is not currently supported.");
    if (!found) throw new ServerError('BadValue', `Unknown type name alias: ${formatValue(name)}`);
    return found;
  });
  return parseTypes(types);
};

const typeTest =
  (types: ReadonlySet<number>): SchemaTest =>
  (value) =>
    types.has(typeNumber(value));

const has = (doc: Doc, name: string): boolean => getField(doc, name) !== MISSING;

const boundTest = (schema: Doc, keyword: 'minimum' | 'maximum', operand: Value): SchemaTest => {
  const bound = numberOperand(keyword, operand);
  const exclusiveName = keyword === 'minimum' ? 'exclusiveMinimum' : 'exclusiveMaximum';
  const exclusive = schema[exclusiveName] === true;
  const sign = keyword === 'minimum' ? 1 : -1;
  return ifNumber((value) => {
    const order = compareNumbers(value, bound) * sign;
    return exclusive ? order > 0 : order >= 0;
  });
};

const exclusiveTest = (schema: Doc, keyword: string, base: string, operand: Value): SchemaTest => {
  if (typeof operand !== 'boolean') throw mismatch(`$jsonSchema keyword '${keyword}' must be a boolean`);
  if (!has(schema, base))
    throw malformed(`$jsonSchema keyword '${base}' must be a present if ${keyword} is present`);
  return () => true;
};

const multipleTest = (operand: Value): SchemaTest => {
  const divisor = numberOperand('multipleOf', operand);
  if (compareNumbers(divisor, 0) <= 0)
    throw malformed("$jsonSchema keyword 'multipleOf' must have a positive value");
  return ifNumber((value) => isZero(remainder(value, divisor)));
};

/** Length in code points. */
const lengthOf = (text: string): number => [...text].length;

const uniqueTest = (operand: Value): SchemaTest => {
  if (typeof operand !== 'boolean') throw mismatch("$jsonSchema keyword 'uniqueItems' must be a boolean");
  if (!operand) return () => true;
  return ifArray((values) => {
    const sorted = [...values].sort((a, b) => compareValues(a, b));
    return sorted.every((value, i) => i === 0 || !equalValues(value, sorted[i - 1]));
  });
};

const subSchema = (keyword: string, operand: Value): SchemaTest =>
  compileJsonSchema(docOperand(keyword, operand));

const subSchemas = (keyword: string, operand: Value): SchemaTest[] => {
  const list = arrayOperand(keyword, operand);
  if (list.length === 0)
    throw new ServerError('BadValue', `$jsonSchema keyword '${keyword}' must be a non-empty array`);
  return list.map((schema) => subSchema(keyword, schema));
};

const itemsTest = (schema: Doc, operand: Value): SchemaTest => {
  if (!Array.isArray(operand)) {
    const each = subSchema('items', operand);
    return ifArray((values) => values.every(each));
  }
  const tests = operand.map((item) => subSchema('items', item));
  const more = schema['additionalItems'];
  const rest = isDoc(more) ? subSchema('additionalItems', more) : () => more !== false;
  return ifArray((values) => values.every((value, i) => (tests[i] ?? rest)(value)));
};

const propertiesTest = (operand: Value): SchemaTest => {
  const tests = Object.entries(docOperand('properties', operand)).map(
    ([name, schema]): [string, SchemaTest] => [name, subSchema(`properties.${name}`, schema)],
  );
  return ifDoc((doc) => tests.every(([name, test]) => !has(doc, name) || test(doc[name])));
};

const patternsOf = (operand: Value): [RegExp, SchemaTest][] =>
  Object.entries(docOperand('patternProperties', operand)).map(([pattern, schema]) => [
    toRegExp(checkedRegex(fieldName(pattern), '')),
    subSchema('patternProperties', schema),
  ]);

const additionalTest = (schema: Doc, operand: Value): SchemaTest => {
  if (typeof operand !== 'boolean' && !isDoc(operand)) {
    throw mismatch("$jsonSchema keyword 'additionalProperties' must be either an object or a boolean");
  }
  const test: SchemaTest = isDoc(operand) ? compileJsonSchema(operand) : () => operand;
  const properties = schema['properties'];
  const known = new Set(isDoc(properties) ? Object.keys(properties) : []);
  const patternDoc = schema['patternProperties'];
  const patterns = patternDoc === undefined ? [] : patternsOf(patternDoc).map(([pattern]) => pattern);
  return ifDoc((doc) =>
    Object.keys(doc).every(
      (name) =>
        known.has(name) || patterns.some((pattern) => pattern.test(fieldName(name))) || test(doc[name]),
    ),
  );
};

const dependenciesTest = (operand: Value): SchemaTest => {
  const tests = Object.entries(docOperand('dependencies', operand)).map(([name, dependency]): SchemaTest => {
    if (Array.isArray(dependency)) {
      const required = names('dependencies', dependency);
      return ifDoc((doc) => !has(doc, name) || required.every((other) => has(doc, other)));
    }
    const test = subSchema(`dependencies.${name}`, dependency);
    return ifDoc((doc) => !has(doc, name) || test(doc));
  });
  return (value) => tests.every((test) => test(value));
};

const requiredTest = (operand: Value): SchemaTest => {
  const required = names('required', operand);
  if (required.length === 0) throw malformed("$jsonSchema keyword 'required' cannot be an empty array");
  return ifDoc((doc) => required.every((name) => has(doc, name)));
};

const enumTest = (operand: Value): SchemaTest => {
  const values = arrayOperand('enum', operand);
  if (values.length === 0) throw malformed("$jsonSchema keyword 'enum' cannot be an empty array");
  return (value) => values.some((allowed) => equalValues(allowed, value));
};

const textOperand = (keyword: string, operand: Value): string => {
  if (typeof operand !== 'string') throw mismatch(`$jsonSchema keyword '${keyword}' must be of type string`);
  return operand;
};

const annotation =
  (keyword: string) =>
  (operand: Value): SchemaTest => {
    textOperand(keyword, operand);
    return () => true;
  };

type Keyword = (operand: Value, schema: Doc) => SchemaTest;

const sized =
  (keyword: string, wrap: (test: (size: number) => boolean) => SchemaTest, least: boolean): Keyword =>
  (operand) => {
    const count = countOperand(keyword, operand);
    return wrap((size) => (least ? size >= count : size <= count));
  };

const byItems = (test: (size: number) => boolean): SchemaTest => ifArray((values) => test(values.length));
const byLength = (test: (size: number) => boolean): SchemaTest => ifString((text) => test(lengthOf(text)));
const byFields = (test: (size: number) => boolean): SchemaTest =>
  ifDoc((doc) => test(Object.keys(doc).length));

const keywords: Record<string, Keyword> = {
  bsonType: (operand) => typeTest(parseTypes(operand, '$jsonSchema keyword bsonType')),
  type: (operand) => typeTest(parseJsonType(operand)),
  enum: enumTest,
  required: requiredTest,
  properties: propertiesTest,
  patternProperties: (operand) => {
    const patterns = patternsOf(operand);
    return ifDoc((doc) =>
      Object.keys(doc).every((name) =>
        patterns.every(([pattern, test]) => !pattern.test(fieldName(name)) || test(doc[name])),
      ),
    );
  },
  additionalProperties: (operand, schema) => additionalTest(schema, operand),
  dependencies: dependenciesTest,
  minProperties: sized('minProperties', byFields, true),
  maxProperties: sized('maxProperties', byFields, false),
  minItems: sized('minItems', byItems, true),
  maxItems: sized('maxItems', byItems, false),
  minLength: sized('minLength', byLength, true),
  maxLength: sized('maxLength', byLength, false),
  uniqueItems: uniqueTest,
  items: (operand, schema) => itemsTest(schema, operand),
  additionalItems: (operand) => {
    if (typeof operand !== 'boolean' && !isDoc(operand)) {
      throw mismatch("$jsonSchema keyword 'additionalItems' must be either an object or a boolean");
    }
    return () => true;
  },
  minimum: (operand, schema) => boundTest(schema, 'minimum', operand),
  maximum: (operand, schema) => boundTest(schema, 'maximum', operand),
  exclusiveMinimum: (operand, schema) => exclusiveTest(schema, 'exclusiveMinimum', 'minimum', operand),
  exclusiveMaximum: (operand, schema) => exclusiveTest(schema, 'exclusiveMaximum', 'maximum', operand),
  multipleOf: multipleTest,
  pattern: (operand) => {
    const pattern = toRegExp(checkedRegex(textOperand('pattern', operand), ''));
    return ifString((text) => pattern.test(text));
  },
  allOf: (operand) => {
    const tests = subSchemas('allOf', operand);
    return (value) => tests.every((test) => test(value));
  },
  anyOf: (operand) => {
    const tests = subSchemas('anyOf', operand);
    return (value) => tests.some((test) => test(value));
  },
  oneOf: (operand) => {
    const tests = subSchemas('oneOf', operand);
    return (value) => tests.filter((test) => test(value)).length === 1;
  },
  not: (operand) => {
    const test = subSchema('not', operand);
    return (value) => !test(value);
  },
  title: annotation('title'),
  description: annotation('description'),
};

const notSupported = new Set(['$ref', '$schema', 'default', 'definitions', 'format', 'id']);

/**
 * Compiles a draft 4 schema with MongoDB's `bsonType`. Throws for malformed schemas and unsupported keywords.
 */
export function compileJsonSchema(schema: Doc): SchemaTest {
  const tests: SchemaTest[] = [];
  for (const [keyword, operand] of Object.entries(schema)) {
    if (notSupported.has(keyword))
      throw malformed(`$jsonSchema keyword '${keyword}' is not currently supported`);
    const compile = Object.hasOwn(keywords, keyword) ? keywords[keyword] : undefined;
    if (!compile) throw malformed(`Unknown $jsonSchema keyword: ${keyword}`);
    tests.push(compile(operand, schema));
  }
  if (has(schema, 'type') && has(schema, 'bsonType')) {
    throw malformed('Cannot specify both $jsonSchema keywords type and bsonType');
  }
  return (value) => tests.every((test) => test(value));
}

/** Validates a schema. Throws if it is malformed. */
export const parseJsonSchema = (schema: Doc): void => {
  compileJsonSchema(schema);
};
