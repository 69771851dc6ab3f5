import { compileExpression } from '../expression/expression.js';
import { addLeaf, newNode } from '../query/projection-parse.js';
import type { ProjectionNode } from '../query/projection-parse.js';
import { applyComputed, compileProjection } from '../query/projection.js';
import { isOperatorDoc } from '../query/parse.js';
import { isDoc, newDoc, typeName } from '../values/bson.js';
import type { Doc, Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';

export interface PipelineOptions {
  let?: Doc;
  now: () => Date;
}

type Stage = (doc: Doc, vars: Record<string, Value>) => Doc;

const addComputed = (root: ProjectionNode, path: string, value: Value): void => {
  const nested = isDoc(value) ? Object.keys(value) : [];
  if (!isDoc(value) || isOperatorDoc(value) || nested.length === 0) {
    addLeaf(root, path, { kind: 'compute', evaluate: compileExpression(value) });
    return;
  }
  const fields: Doc = value;
  for (const name of nested) addComputed(root, `${path}.${name}`, fields[name]);
};

const addFields = (argument: Value, name: string): Stage => {
  if (!isDoc(argument)) {
    throw new ServerError(40272, `${name} specification stage must be an object, got ${typeName(argument)}`);
  }
  if (Object.keys(argument).length === 0) {
    throw new ServerError(
      40177,
      `Invalid ${name} :: caused by :: specification must have at least one field`,
    );
  }
  const root = newNode();
  for (const [path, value] of Object.entries(argument)) addComputed(root, path, value);
  return (doc, vars) => applyComputed(root, doc, doc, vars);
};

const project = (argument: Value): Stage => {
  if (!isDoc(argument)) throw new ServerError(15969, '$project specification must be an object');
  if (Object.keys(argument).length === 0) {
    throw new ServerError(
      51272,
      'Invalid $project :: caused by :: projection specification must have at least one field',
    );
  }
  const projection = compileProjection(argument, undefined, { dialect: 'aggregate' });
  return (doc, vars) => projection.apply(doc, undefined, vars);
};

const unset = (argument: Value): Stage => {
  const paths = Array.isArray(argument) ? argument : [argument];
  const spec = newDoc();
  for (const path of paths) {
    if (typeof path !== 'string')
      throw new ServerError(
        31120,
        '$unset specification must be a string or an array containing only string values',
      );
    spec[path] = 0;
  }
  if (paths.length === 0)
    throw new ServerError(31119, '$unset specification must be a string or an array with at least one field');
  const projection = compileProjection(spec, undefined, { dialect: 'aggregate' });
  return (doc) => projection.apply(doc);
};

const replaceWith = (argument: Value): Stage => {
  const evaluate = compileExpression(argument);
  return (doc, vars) => {
    const result = evaluate(doc, vars);
    if (!isDoc(result)) {
      throw new ServerError(
        40228,
        `'newRoot' expression must evaluate to an object, but resulting value was of type: ${result === undefined ? 'missing' : typeName(result)}`,
      );
    }
    return result;
  };
};

const replaceRoot = (argument: Value): Stage => {
  if (!isDoc(argument) || argument['newRoot'] === undefined) {
    throw new ServerError(40231, 'no newRoot specified for the $replaceRoot stage');
  }
  return replaceWith(argument['newRoot']);
};

const stages: Record<string, (argument: Value, name: string) => Stage> = {
  $set: addFields,
  $addFields: addFields,
  $unset: unset,
  $project: project,
  $replaceRoot: replaceRoot,
  $replaceWith: replaceWith,
};

const compileStage = (stage: Doc): Stage => {
  const names = Object.keys(stage);
  const name = names[0];
  if (!isDoc(stage) || names.length !== 1 || name === undefined) {
    throw new ServerError(40323, 'A pipeline stage specification object must contain exactly one field.');
  }
  const compile = Object.hasOwn(stages, name) ? stages[name] : undefined;
  if (!compile) {
    throw name.startsWith('$')
      ? new ServerError('InvalidOptions', `${name} is not allowed to be used within an update`)
      : new ServerError(40324, `Unrecognized pipeline stage name: '${name}'`);
  }
  return compile(stage[name], name);
};

/** Compiles the pipeline of an update: `$set`, `$unset`, `$project`, `$replaceRoot` and their aliases. */
export const compilePipeline = (pipeline: Doc[], options: PipelineOptions): ((doc: Doc) => Doc) => {
  const compiled = pipeline.map(compileStage);
  return (doc) => {
    const vars: Record<string, Value> = { ...options.let, NOW: options.now() };
    return compiled.reduce((current, stage) => stage(current, vars), doc);
  };
};
