import type { Doc, Value } from '../values/bson.js';
import type { MemoryBudget } from './memory.js';

/** Accumulates one output field of one group. */
export interface Accumulator {
  add(doc: Doc): void;
  /** Returns `undefined` to omit the field. */
  result(): Value;
}

/** Creates one accumulator per group. */
export type AccumulatorFactory = (budget: MemoryBudget) => Accumulator;
