import { isDoc, typeName } from '../values/bson.js';
import type { Doc, Value } from '../values/bson.js';
import { getPath } from '../values/path.js';
import { compileFilter } from './matcher.js';
import { isOperatorDoc } from './parse.js';
import { jsonSchemaDetails } from './schema-details.js';

const reasons: Readonly<Record<string, string>> = {
  $eq: 'comparison failed',
  $ne: 'comparison succeeded',
  $gt: 'comparison failed',
  $gte: 'comparison failed',
  $lt: 'comparison failed',
  $lte: 'comparison failed',
  $in: 'no matching value found in array',
  $nin: 'matching value found in array',
  $type: 'type did not match',
  $regex: 'regular expression did not match',
  $mod: '$mod did not evaluate to expected remainder',
  $size: 'array length was not equal to given size',
  $elemMatch: 'array did not satisfy the child predicate',
};

interface Clause {
  name: string;
  /** The clause as a separate filter. */
  filter: Doc;
  path?: string;
}

/** Splits a filter into clauses that must all match. */
const clausesOf = (filter: Doc): Clause[] =>
  Object.entries(filter).flatMap(([name, operand]): Clause[] => {
    if (name.startsWith('$')) return [{ name, filter: { [name]: operand } }];
    if (!isOperatorDoc(operand)) return [{ name: '$eq', filter: { [name]: operand }, path: name }];
    return Object.entries(operand)
      .filter(([operator]) => operator !== '$options')
      .map(([operator, argument]) => {
        const test: Doc = { [operator]: argument };
        if (operator === '$regex' && operand['$options'] !== undefined)
          test['$options'] = operand['$options'];
        return { name: operator, filter: { [name]: test }, path: name };
      });
  });

const considered = (values: Value[], name: string): Doc => {
  const [first] = values;
  if (values.length !== 1) return { consideredValues: values };
  return { consideredValue: first, ...(name === '$type' && { consideredType: typeName(first) }) };
};

const listDetails = (filters: Value, doc: Doc): Doc[] =>
  (Array.isArray(filters) ? filters : []).flatMap((filter, index): Doc[] =>
    isDoc(filter) && !compileFilter(filter).matches(doc) ? [{ index, details: detailsOf(filter, doc) }] : [],
  );

const clauseDetails = ({ name, filter, path }: Clause, doc: Doc): Doc => {
  const operand = filter[name];
  if (name === '$jsonSchema' && isDoc(operand)) return jsonSchemaDetails(operand, doc);
  if (name === '$and' || name === '$or')
    return { operatorName: name, clausesNotSatisfied: listDetails(operand, doc) };
  if (name === '$expr')
    return {
      operatorName: name,
      specifiedAs: filter,
      reason: 'expression did not match',
      expressionResult: false,
    };
  const details: Doc = { operatorName: name, specifiedAs: filter };
  if (path === undefined) return details;
  const values = getPath(doc, path);
  if (name === '$exists') return { ...details, reason: `path does ${values.length > 0 ? '' : 'not '}exist` };
  if (values.length === 0) return { ...details, reason: 'field was missing' };
  return { ...details, reason: reasons[name] ?? 'predicate did not match', ...considered(values, name) };
};

/**
 * Describes why a document does not match a validator, in the format of `errInfo.details` of
 * DocumentValidationFailure (121).
 */
export const detailsOf = (filter: Doc, doc: Doc): Doc => {
  const clauses = clausesOf(filter);
  const failing = clauses.flatMap((clause, index): Doc[] =>
    compileFilter(clause.filter).matches(doc) ? [] : [{ index, details: clauseDetails(clause, doc) }],
  );
  const [only] = failing;
  if (clauses.length === 1 && only) return only['details'] as Doc;
  return { operatorName: '$and', clausesNotSatisfied: failing };
};
