import { calculateObjectSize, deserialize, serialize } from 'bson';
import { deepFreeze } from '../common/index.js';
import type { Flight } from './flights.js';

/** A value that was found, and what determines how long it is valid. */
export interface Found {
  readonly value: unknown;
  /** Generation of the tenant when the value was loaded. The value is valid while the tenant still has it. */
  readonly generation: string;
  /** By the clock of this process, milliseconds since 1970. */
  readonly expiresAt: number;
}

/** What the stores keep for one key. */
export interface Entry extends Found {
  readonly tenantId: string;
  /** When it is removed from the memory of this process at the latest, milliseconds since 1970. */
  readonly localUntil: number;
  /** Estimated memory. */
  readonly bytes: number;
  /** The lookup that produced it. If that is cancelled, the entry is invalid. */
  readonly flight: Flight;
}

/**
 * Heap bytes per byte of BSON for a value of documents, dates and strings, and the overhead of each entry.
 * Both were measured.
 */
const HEAP_PER_BYTE = 3;
const ENTRY_OVERHEAD = 600;

export const estimatedBytes = (text: string, value: unknown): number =>
  ENTRY_OVERHEAD +
  2 * text.length +
  HEAP_PER_BYTE * calculateObjectSize({ v: value }, { ignoreUndefined: true });

/** BSON preserves dates, ObjectIds, Buffers and numbers. Undefined members are omitted. */
export const encodeValue = (value: unknown): Buffer =>
  Buffer.from(serialize({ v: value }, { ignoreUndefined: true }));

export const decodeValue = (bytes: Buffer): unknown =>
  deepFreeze(deserialize(bytes, { promoteBuffers: true })['v']);
