import type { BSONRegExp } from 'bson';
import type { Doc, Value } from '../values/bson.js';

export type ComparisonOp = 'eq' | 'gt' | 'gte' | 'lt' | 'lte';
export type BitsOp = 'bitsAllSet' | 'bitsAllClear' | 'bitsAnySet' | 'bitsAnyClear';

/**
 * A condition on one dotted path. Within `elemMatchValue` the path is '' and refers to the element itself.
 */
export type FieldNode =
  | { kind: 'field'; path: string; op: ComparisonOp; value: Value }
  | { kind: 'field'; path: string; op: 'in'; values: Value[]; regexes: BSONRegExp[] }
  | { kind: 'field'; path: string; op: 'exists' }
  | {
      kind: 'field';
      path: string;
      op: 'regex';
      regex: BSONRegExp;
      /** Text with which every match starts, or '' if unknown. */
      prefix: string;
      /** True if the expression requires nothing but this prefix. */
      prefixOnly: boolean;
    }
  | { kind: 'field'; path: string; op: 'type'; types: ReadonlySet<number> }
  | { kind: 'field'; path: string; op: 'size'; size: number }
  | { kind: 'field'; path: string; op: 'mod'; divisor: bigint; remainder: bigint }
  | { kind: 'field'; path: string; op: BitsOp; mask: bigint }
  /** Some element that is a document or array matches `child`, whose paths are relative to the element. */
  | { kind: 'field'; path: string; op: 'elemMatchObject'; child: FilterNode }
  /** Some element matches `child`, whose paths are ''. */
  | { kind: 'field'; path: string; op: 'elemMatchValue'; child: FilterNode };

/**
 * A parsed filter. `$ne`, `$nin` and `$exists: false` are represented by `not` with the positive operator,
 * and `$all` by `and`.
 */
export type FilterNode =
  | { kind: 'and' | 'or' | 'nor'; children: FilterNode[] }
  | { kind: 'not'; child: FilterNode }
  | { kind: 'true' }
  | { kind: 'false' }
  | FieldNode
  | { kind: 'expr'; expression: Value }
  | { kind: 'jsonSchema'; schema: Doc }
  | { kind: 'sampleRate'; rate: number };
