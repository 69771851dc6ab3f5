import type { Frame } from './frame.js';
import type { Segment } from './segment.js';
import type { JournalPosition } from './segment-writer.js';

export interface JournalRecord {
  position: JournalPosition;
  /** When it was appended, milliseconds of the wall clock. */
  appendedAt: number;
  bytes: Buffer;
}

/** Records that were taken together, oldest first; end it with `done` or `failed`, once. */
export interface Batch {
  readonly records: readonly JournalRecord[];
  /** Bytes of all records. */
  readonly bytes: number;
  /** They are stored elsewhere: the journal may forget them. Resolves when it has taken note. */
  done(): Promise<void>;
  /** They are not: the next `take` answers them first. */
  failed(): void;
}

/** A record out of its segment's memory, in a batch or given back. */
export interface TakenFrame {
  segment: Segment;
  frame: Frame;
}

export interface BatchEnds {
  done: (taken: readonly TakenFrame[]) => Promise<void>;
  failed: (taken: readonly TakenFrame[]) => void;
}

export function makeBatch(taken: readonly TakenFrame[], ends: BatchEnds): Batch {
  let hasEnded = false;
  const once = <T>(end: () => T, otherwise: T): T => {
    if (hasEnded) return otherwise;
    hasEnded = true;
    return end();
  };
  return {
    records: taken.map(({ segment, frame }) => ({
      position: { segment: segment.id, offset: frame.offset },
      appendedAt: frame.time,
      bytes: frame.record,
    })),
    bytes: taken.reduce((sum, { frame }) => sum + frame.record.length, 0),
    done: () => once(() => ends.done(taken), Promise.resolve()),
    failed: () => once(() => ends.failed(taken), undefined),
  };
}

export const olderFirst = (a: TakenFrame, b: TakenFrame): number =>
  a.segment.id === b.segment.id ? a.frame.offset - b.frame.offset : a.segment.id < b.segment.id ? -1 : 1;
