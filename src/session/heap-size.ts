import type { StoredState } from './session.repository.js';

// Calibrated on 64-bit Node 20: 150 to 50,000 parsed and frozen states of 16 shapes were kept in memory, and
// the growth of heapUsed after a full collection was divided by their number. The size of the JSON is no
// substitute: heap bytes per JSON byte ranged from 0.7 (non-Latin text) through 4 (typical sessions) to 21
// (lists of empty objects). This estimate was between 0.7 and 4.5 times the actual heap of each shape. It is
// too low only where every object has its own set of keys.
const STATE_BYTES = 600;
const OBJECT_BYTES = 80;
const MEMBER_BYTES = 40;
/** Per member of objects with too many members for V8 to share their layout. */
const OWN_MEMBER_BYTES = 140;
const SHARED_MEMBERS = 20;
const ARRAY_BYTES = 48;
const SLOT_BYTES = 8;
const STRING_BYTES = 24;
const DOUBLE_BYTES = 16;
const SMALL_INTEGER = 2 ** 31;

const wide = /[\u0100-\uffff]/;

function bytesOf(value: unknown): number {
  if (typeof value === 'string') return STRING_BYTES + value.length * (wide.test(value) ? 2 : 1);
  if (typeof value === 'number')
    return Number.isInteger(value) && Math.abs(value) < SMALL_INTEGER ? 0 : DOUBLE_BYTES;
  if (typeof value !== 'object' || value === null) return 0;
  if (Array.isArray(value)) {
    let total = ARRAY_BYTES + SLOT_BYTES * value.length;
    for (const item of value) total += bytesOf(item);
    return total;
  }
  const members: unknown[] = Object.values(value);
  let total =
    OBJECT_BYTES + members.length * (members.length > SHARED_MEMBERS ? OWN_MEMBER_BYTES : MEMBER_BYTES);
  for (const member of members) total += bytesOf(member);
  return total;
}

/** Estimates the heap size of a state in bytes. */
export const heapSizeOf = ({ activeGoals, context }: StoredState): number =>
  STATE_BYTES + bytesOf(activeGoals) + bytesOf(context);
