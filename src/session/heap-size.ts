import type { StoredState } from './session.repository.js';

// Measured on Node 20 (64 bit): 150 to 50,000 parsed and frozen states of 16 shapes were kept, and the growth of heapUsed after a
// full collection was divided by their number. Bytes of JSON are no measure: heap by JSON bytes went from 0.7 (text that is not
// Latin) over 4 (usual sessions) to 21 (lists of empty objects). This walk came to between 0.7 and 4.5 times the heap of each
// shape; it is low only where every object has keys of its own.
const STATE_BYTES = 600;
const OBJECT_BYTES = 80;
const MEMBER_BYTES = 40;
/** Of objects with more members than V8 shares the layout of. */
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

/** Estimate of the heap that a state takes, bytes. */
export const heapSizeOf = ({ activeGoals, context }: StoredState): number =>
  STATE_BYTES + bytesOf(activeGoals) + bytesOf(context);
