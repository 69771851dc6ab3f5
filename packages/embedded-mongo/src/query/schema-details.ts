import { fieldName, isDoc, newDoc, typeName } from '../values/bson.js';
import type { Doc, Value } from '../values/bson.js';
import { getField, MISSING } from '../values/path.js';
import { compileJsonSchema } from './json-schema.js';

/** Keywords that are checked with another keyword and report nothing on their own. */
const companions: Readonly<Record<string, readonly string[]>> = {
  minimum: ['exclusiveMinimum'],
  maximum: ['exclusiveMaximum'],
  items: ['additionalItems'],
};

const reasons: Readonly<Record<string, string>> = {
  bsonType: 'type did not match',
  type: 'type did not match',
  minimum: 'comparison failed',
  maximum: 'comparison failed',
  multipleOf: 'considered value is not a multiple of the specified value',
  minLength: 'specified string length was not satisfied',
  maxLength: 'specified string length was not satisfied',
  pattern: 'regular expression did not match',
  minItems: 'array did not match specified length',
  maxItems: 'array did not match specified length',
  uniqueItems: 'found a duplicate item',
  enum: 'value was not found in enum',
  not: 'child expression matched',
};

/** The order in which MongoDB reports the rules of a schema. */
const order = [
  ...['bsonType', 'type', 'minimum', 'maximum', 'multipleOf', 'minLength', 'maxLength', 'pattern'],
  ...['minItems', 'maxItems', 'uniqueItems', 'items', 'minProperties', 'maxProperties', 'properties'],
  ...['patternProperties', 'additionalProperties', 'dependencies', 'required'],
  ...['enum', 'allOf', 'anyOf', 'oneOf', 'not'],
];

const accepts = (schema: Value, value: Value): boolean => !isDoc(schema) || compileJsonSchema(schema)(value);

/** `title` and `description` of a schema, which are repeated in the report of a violation. */
const notes = (schema: Value): Doc => {
  const doc = newDoc();
  if (!isDoc(schema)) return doc;
  for (const name of ['title', 'description']) if (schema[name] !== undefined) doc[name] = schema[name];
  return doc;
};

const failingProperties = (properties: Doc, doc: Doc): Doc[] =>
  Object.entries(properties).flatMap(([name, schema]): Doc[] => {
    const value = getField(doc, name);
    if (value === MISSING || !isDoc(schema)) return [];
    const details = schemaDetails(schema, value);
    return details.length === 0 ? [] : [{ propertyName: fieldName(name), ...notes(schema), details }];
  });

const failingSchemas = (schemas: Value, value: Value): Doc[] =>
  (Array.isArray(schemas) ? schemas : []).flatMap((schema, index): Doc[] => {
    const details = isDoc(schema) ? schemaDetails(schema, value) : [];
    return details.length === 0 ? [] : [{ index, ...notes(schema), details }];
  });

const unwanted = (schema: Doc, doc: Doc): string[] => {
  const known = isDoc(schema['properties']) ? schema['properties'] : {};
  // Only the names matched by the patterns matter here, not whether their values are valid.
  const patterns = Object.keys(isDoc(schema['patternProperties']) ? schema['patternProperties'] : {});
  const rule: Doc = {
    additionalProperties: schema['additionalProperties'],
    patternProperties: Object.fromEntries(patterns.map((pattern) => [pattern, {}])),
  };
  return Object.keys(doc)
    .filter((name) => !Object.hasOwn(known, name))
    .filter((name) => !accepts(rule, Object.assign(newDoc(), { [name]: doc[name] })))
    .map(fieldName);
};

/** The details, besides its name, that a keyword reports for a value that it rejects. */
const ruleDetails = (keyword: string, schema: Doc, value: Value): Doc => {
  const operand = schema[keyword];
  const specifiedAs: Doc = { [keyword]: operand };
  const doc = isDoc(value) ? value : newDoc();
  switch (keyword) {
    case 'properties':
      return { propertiesNotSatisfied: isDoc(operand) ? failingProperties(operand, doc) : [] };
    case 'required': {
      const wanted = (Array.isArray(operand) ? operand : []).map(String);
      const missing = wanted.filter((name) => !compileJsonSchema({ required: [name] })(doc));
      return { specifiedAs, missingProperties: missing };
    }
    case 'additionalProperties':
      return { specifiedAs, additionalProperties: unwanted(schema, doc) };
    case 'minProperties':
    case 'maxProperties':
      return {
        specifiedAs,
        reason: 'specified number of properties was not satisfied',
        numberOfProperties: Object.keys(doc).length,
      };
    case 'items': {
      const index = (Array.isArray(value) ? value : []).findIndex((item) => !accepts(operand, item));
      if (Array.isArray(operand) || index < 0 || !isDoc(operand)) return { specifiedAs };
      return {
        reason: 'At least one item did not match the sub-schema',
        itemIndex: index,
        details: schemaDetails(operand, (value as Value[])[index]),
      };
    }
    case 'allOf':
    case 'anyOf':
    case 'oneOf': {
      const schemasNotSatisfied = failingSchemas(operand, value);
      const count = Array.isArray(operand) ? operand.length : 0;
      return keyword === 'oneOf' && schemasNotSatisfied.length < count
        ? { reason: 'more than one subschema matched', schemasNotSatisfied }
        : { schemasNotSatisfied };
    }
    default: {
      const details: Doc = { specifiedAs };
      if (reasons[keyword] !== undefined) details['reason'] = reasons[keyword];
      if (keyword === 'not') return details;
      details['consideredValue'] = value;
      if (keyword === 'bsonType' || keyword === 'type') details['consideredType'] = typeName(value);
      return details;
    }
  }
};

/** The keyword with its companion keywords. */
const alone = (keyword: string, schema: Doc): Doc => {
  const part: Doc = { [keyword]: schema[keyword] };
  for (const name of companions[keyword] ?? []) if (schema[name] !== undefined) part[name] = schema[name];
  return part;
};

const fails = (keyword: string, schema: Doc, value: Value): boolean =>
  keyword === 'additionalProperties'
    ? isDoc(value) && unwanted(schema, value).length > 0
    : !accepts(alone(keyword, schema), value);

/** The rules of a `$jsonSchema` that a value violates, in the format of MongoDB's `errInfo`. */
export const schemaDetails = (schema: Doc, value: Value): Doc[] =>
  order
    .filter((keyword) => Object.hasOwn(schema, keyword) && fails(keyword, schema, value))
    .map((keyword) => ({ operatorName: keyword, ...ruleDetails(keyword, schema, value) }));

/** The `errInfo.details` for a document that violates a `$jsonSchema`. */
export const jsonSchemaDetails = (schema: Doc, doc: Doc): Doc => ({
  operatorName: '$jsonSchema',
  ...notes(schema),
  schemaRulesNotSatisfied: schemaDetails(schema, doc),
});
