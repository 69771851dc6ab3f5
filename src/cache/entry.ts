import { calculateObjectSize, deserialize, serialize } from 'bson';
import { deepFreeze } from '../common/index.js';

/** What a cache remembers of one key. */
export interface Entry {
  /** Undefined: it is remembered that there is none. */
  readonly value: unknown;
  /** Generations of its tenant and tags when it was loaded; it holds while they are the same. */
  readonly generations: string;
  /** Times of this process's clock, ms: fresh until, and not to be answered at all after. */
  readonly freshUntil: number;
  readonly expiresAt: number;
  readonly localTtlMs: number;
  /** Estimated memory. */
  readonly bytes: number;
}

/** Heap that a value of documents, dates and texts takes for each byte of its BSON, and each entry by itself; measured. */
const HEAP_PER_BYTE = 3;
const ENTRY_OVERHEAD = 600;

export const estimatedBytes = (text: string, value: unknown): number =>
  ENTRY_OVERHEAD +
  2 * text.length +
  HEAP_PER_BYTE * calculateObjectSize({ v: value }, { ignoreUndefined: true });

/** BSON, so that dates, ObjectIds, Buffers and numbers come back as they went in. Members that are undefined are left out. */
export const encodeValue = (value: unknown): Buffer =>
  Buffer.from(serialize({ v: value }, { ignoreUndefined: true }));

export const decodeValue = (bytes: Buffer): unknown =>
  deepFreeze(deserialize(bytes, { promoteBuffers: true })['v']);
