import type { Engine, Namespace, OpContext } from '../engine/types.js';
import type { Doc, Value } from '../values/bson.js';
import { compileExpression } from '../expression/expression.js';
import type { Collation } from '../values/compare.js';
import type { Interruption, Stage } from './stream.js';

/** Operations and their time, microseconds. */
export interface Latency {
  ops: number;
  latency: number;
}

/** What the stages of one pipeline share. */
export interface PipelineContext {
  readonly engine: Engine;
  readonly ns: Namespace;
  readonly op: OpContext;
  readonly now: () => number;
  /** Variables of the command's or an enclosing `$lookup`'s `let`. */
  readonly variables: Record<string, Value>;
  readonly collationSpec: Doc | undefined;
  readonly collation: Collation | undefined;
  /** The command's hint, for its own collection. */
  readonly hint: string | Doc | undefined;
  readonly interruption: Interruption;
  /** First stages that read the server's own state: given the specification, their documents. */
  readonly serverSources: Readonly<Record<string, (spec: Value) => Doc[]>>;
  /** How often and how long, in microseconds, the collection was read, written and otherwise used. */
  readonly latency: (ns: Namespace) => { reads: Latency; writes: Latency; commands: Latency };
  /** How many pipelines enclose this one. */
  readonly depth: number;
  /** True inside of `$facet`, `$lookup` and `$unionWith`, where some stages are not allowed. */
  readonly inner: boolean;
}

/** Builds one stage from what the pipeline says of it; throws on a bad specification. */
export type StageBuilder = (spec: Value, context: PipelineContext) => Stage;

/** An expression bound to the pipeline's variables. */
export function bindExpression(expression: Value, context: PipelineContext): (doc: Doc) => Value {
  const compiled = compileExpression(expression);
  const { variables } = context;
  return (doc) => compiled(doc, variables);
}

/** An expression of constants, evaluated once. */
export const constant = (expression: Value, context: PipelineContext): Value =>
  bindExpression(expression, context)({});
