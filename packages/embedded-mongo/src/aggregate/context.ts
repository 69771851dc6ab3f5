import type { Engine, Namespace, OpContext } from '../engine/types.js';
import type { Doc, Value } from '../values/bson.js';
import { compileExpression } from '../expression/expression.js';
import type { Collation } from '../values/compare.js';
import type { Interruption, Stage } from './stream.js';

/** Number of operations and their total time in microseconds. */
export interface Latency {
  ops: number;
  latency: number;
}

/** State shared by the stages of one pipeline. */
export interface PipelineContext {
  readonly engine: Engine;
  readonly ns: Namespace;
  readonly op: OpContext;
  readonly now: () => number;
  /** Variables from `let` of the command or of an enclosing `$lookup`. */
  readonly variables: Record<string, Value>;
  readonly collationSpec: Doc | undefined;
  readonly collation: Collation | undefined;
  /** The command's hint. It applies only to the command's own collection. */
  readonly hint: string | Doc | undefined;
  readonly interruption: Interruption;
  /** First stages that read server state. Each receives its specification and returns documents. */
  readonly serverSources: Readonly<Record<string, (spec: Value) => Doc[]>>;
  /** Number and total time in microseconds of reads, writes and other commands on a collection. */
  readonly latency: (ns: Namespace) => { reads: Latency; writes: Latency; commands: Latency };
  /** Nesting depth: the number of enclosing pipelines. */
  readonly depth: number;
  /** True in `$facet`, `$lookup` and `$unionWith`, where some stages are not allowed. */
  readonly inner: boolean;
}

/** Builds a stage from its specification. Throws if the specification is invalid. */
export type StageBuilder = (spec: Value, context: PipelineContext) => Stage;

/** Compiles an expression and binds it to the pipeline's variables. */
export function bindExpression(expression: Value, context: PipelineContext): (doc: Doc) => Value {
  const compiled = compileExpression(expression);
  const { variables } = context;
  return (doc) => compiled(doc, variables);
}

/** Evaluates a constant expression. */
export const constant = (expression: Value, context: PipelineContext): Value =>
  bindExpression(expression, context)({});
