import type { Doc, Value } from '../values/bson.js';
import type { MemoryBudget } from './memory.js';

/** Gathers one field of one group. */
export interface Accumulator {
  add(doc: Doc): void;
  /** `undefined` leaves the field out. */
  result(): Value;
}

/** Makes an accumulator per group. */
export type AccumulatorFactory = (budget: MemoryBudget) => Accumulator;
