import { calculateObjectSize, deserialize, serialize } from 'bson';
import { deepFreeze } from '../common/index.js';
import type { Flight } from './flights.js';

/** A value that was found, with what decides how long it is valid. */
export interface Found {
  readonly value: unknown;
  /** Generation of its tenant when it was loaded; it is valid while the tenant has the same. */
  readonly generation: string;
  /** By the clock of this process, milliseconds. */
  readonly expiresAt: number;
}

/** What the stores keep for one key. */
export interface Entry extends Found {
  readonly tenantId: string;
  /** When it leaves the memory of this process, at the latest. */
  readonly localUntil: number;
  /** Estimated memory. */
  readonly bytes: number;
  /** Where it comes from; once that is cancelled, the entry is invalid. */
  readonly flight: Flight;
}

/**
 * Heap that a value of documents, dates and texts takes for each byte of its BSON, and what each entry adds;
 * measured.
 */
const HEAP_PER_BYTE = 3;
const ENTRY_OVERHEAD = 600;

export const estimatedBytes = (text: string, value: unknown): number =>
  ENTRY_OVERHEAD +
  2 * text.length +
  HEAP_PER_BYTE * calculateObjectSize({ v: value }, { ignoreUndefined: true });

/** BSON preserves dates, ObjectIds, Buffers and numbers. Members that are undefined are left out. */
export const encodeValue = (value: unknown): Buffer =>
  Buffer.from(serialize({ v: value }, { ignoreUndefined: true }));

export const decodeValue = (bytes: Buffer): unknown =>
  deepFreeze(deserialize(bytes, { promoteBuffers: true })['v']);
