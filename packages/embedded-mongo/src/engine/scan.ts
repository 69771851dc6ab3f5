import type { Index } from './index-definition.js';
import {
  compareBytes,
  documentPrefix,
  prefixEnd,
  readU64,
  recordIdOfDocumentKey,
  recordIdOfEntry,
  successor,
} from './key-layout.js';
import type { KeyInterval, Plan } from './plan.js';
import type { View } from './view.js';

/**
 * Receives one position of a scan. Returning false pauses the scan after it. `bytes` is set when the scan
 * reads documents.
 */
export type Visit = (recordId: number, bytes: Uint8Array | undefined) => boolean;

/**
 * Record ids in the order of a plan. Between runs it keeps only its position, so each run may use a different
 * view. Concurrent changes are seen if they are ahead of the position.
 */
export interface RecordScan {
  /**
   * Continues until `visit` returns false (then returns false) or all records are visited (then returns
   * true).
   */
  run(view: View, visit: Visit): boolean;
  /** Key of the last visited document, for scans of documents. */
  readonly position?: Uint8Array | undefined;
}

export const scanOf = (plan: Plan, collectionId: number): RecordScan => {
  switch (plan.kind) {
    case 'none':
      return { run: () => true };
    case 'collection':
      return new CollectionScan(collectionId, plan.reverse);
    case 'point':
      return new PointScan(plan.key);
    case 'or':
      return new UnionScan(plan.inputs.map((input) => scanOf(input, collectionId)));
    case 'index': {
      const [only, ...more] = plan.groups;
      if (!only) return { run: () => true };
      if (more.length === 0) return new IntervalScan(plan.index, only.intervals, plan.reverse);
      return new MergeScan(plan.index, plan.groups, plan.reverse);
    }
  }
};

class CollectionScan implements RecordScan {
  position: Uint8Array | undefined;
  private low: Uint8Array;
  private high: Uint8Array;

  constructor(
    collectionId: number,
    private readonly reverse: boolean,
  ) {
    this.low = documentPrefix(collectionId);
    this.high = prefixEnd(this.low);
  }

  run(view: View, visit: Visit): boolean {
    for (const { key, value } of view.entries({ low: this.low, high: this.high, reverse: this.reverse })) {
      this.position = key;
      if (visit(recordIdOfDocumentKey(key), value)) continue;
      this.pass();
      return false;
    }
    this.pass();
    return true;
  }

  /**
   * The next run continues after the position even if this one reached the end, because a tailable cursor may
   * find more documents.
   */
  private pass(): void {
    if (!this.position) return;
    if (this.reverse) this.high = this.position;
    else this.low = successor(this.position);
  }
}

class PointScan implements RecordScan {
  private done = false;

  constructor(private readonly key: Uint8Array) {}

  run(view: View, visit: Visit): boolean {
    if (this.done) return true;
    this.done = true;
    const holder = view.get(this.key);
    return holder === undefined || visit(readU64(holder, 0), undefined);
  }
}

/** Reads the keys and values of a unique index, or only the keys of any other index. */
const positions = function* (
  index: Index,
  view: View,
  interval: KeyInterval,
  reverse: boolean,
): Generator<{ key: Uint8Array; recordId: number }> {
  const range = { ...interval, reverse };
  if (index.unique) {
    for (const { key, value } of view.entries(range)) yield { key, recordId: readU64(value, 0) };
  } else {
    for (const key of view.keys(range)) yield { key, recordId: recordIdOfEntry(key) };
  }
};

class IntervalScan implements RecordScan {
  private readonly intervals: KeyInterval[];

  constructor(
    private readonly index: Index,
    intervals: readonly KeyInterval[],
    private readonly reverse: boolean,
  ) {
    this.intervals = reverse ? [...intervals] : [...intervals].reverse();
  }

  run(view: View, visit: Visit): boolean {
    for (;;) {
      const interval = this.intervals.at(-1);
      if (!interval) return true;
      const stoppedAt = this.runInterval(view, interval, visit);
      if (stoppedAt) {
        this.intervals[this.intervals.length - 1] = beyond(interval, stoppedAt, this.reverse);
        return false;
      }
      this.intervals.pop();
    }
  }

  /** Returns the key at which the visitor stopped. */
  private runInterval(view: View, interval: KeyInterval, visit: Visit): Uint8Array | undefined {
    const range = { low: interval.low, high: interval.high, reverse: this.reverse };
    if (this.index.unique) {
      for (const { key, value } of view.entries(range)) if (!visit(readU64(value, 0), undefined)) return key;
    } else {
      for (const key of view.keys(range)) if (!visit(recordIdOfEntry(key), undefined)) return key;
    }
    return undefined;
  }
}

/** The rest of an interval after one of its keys. */
const beyond = (interval: KeyInterval, key: Uint8Array, reverse: boolean): KeyInterval =>
  reverse ? { low: interval.low, high: key } : { low: successor(key), high: interval.high };

interface Head {
  key: Uint8Array;
  recordId: number;
  rest: Generator<{ key: Uint8Array; recordId: number }>;
}

/**
 * Merges several sorted groups of intervals into one sequence, ordered by the bytes after each group's
 * prefix.
 */
class MergeScan implements RecordScan {
  private readonly groups: { intervals: KeyInterval[]; mergeAfter: number }[];

  constructor(
    private readonly index: Index,
    groups: readonly { intervals: KeyInterval[]; mergeAfter: number }[],
    private readonly reverse: boolean,
  ) {
    this.groups = groups.map(({ intervals, mergeAfter }) => ({ intervals: [...intervals], mergeAfter }));
  }

  run(view: View, visit: Visit): boolean {
    const heads = this.groups.map((group) => this.open(view, group.intervals));
    try {
      for (;;) {
        const at = this.next(heads);
        if (at < 0) return true;
        const head = heads[at]!;
        const { recordId } = head;
        heads[at] = advance(head.rest);
        if (visit(recordId, undefined)) continue;
        this.pause(heads);
        return false;
      }
    } finally {
      for (const head of heads) head?.rest.return(undefined);
    }
  }

  private open(view: View, intervals: readonly KeyInterval[]): Head | undefined {
    const ordered = this.reverse ? [...intervals].reverse() : intervals;
    const { index, reverse } = this;
    return advance(
      (function* () {
        for (const interval of ordered) yield* positions(index, view, interval, reverse);
      })(),
    );
  }

  private next(heads: (Head | undefined)[]): number {
    let best = -1;
    for (let i = 0; i < heads.length; i++) {
      const head = heads[i];
      if (!head) continue;
      if (best < 0 || this.order(head.key, i, heads[best]!.key, best) < 0) best = i;
    }
    return best;
  }

  private order(a: Uint8Array, groupOfA: number, b: Uint8Array, groupOfB: number): number {
    const order = compareBytes(
      a.subarray(this.groups[groupOfA]!.mergeAfter),
      b.subarray(this.groups[groupOfB]!.mergeAfter),
    );
    return this.reverse ? -order : order;
  }

  /** Each group continues at its head, which was read but not visited. */
  private pause(heads: (Head | undefined)[]): void {
    this.groups.forEach((group, i) => {
      const head = heads[i];
      group.intervals = head ? remaining(group.intervals, head.key, this.reverse) : [];
    });
  }
}

const advance = (rest: Generator<{ key: Uint8Array; recordId: number }>): Head | undefined => {
  const item = rest.next();
  return item.done ? undefined : { ...item.value, rest };
};

/** The intervals from `key` (inclusive) in scan direction. */
const remaining = (intervals: KeyInterval[], key: Uint8Array, reverse: boolean): KeyInterval[] =>
  intervals
    .map(({ low, high }) =>
      reverse
        ? { low, high: compareBytes(high, key) > 0 ? successor(key) : high }
        : { low: compareBytes(low, key) < 0 ? key : low, high },
    )
    .filter(({ low, high }) => compareBytes(low, high) < 0);

class UnionScan implements RecordScan {
  private at = 0;

  constructor(private readonly inputs: RecordScan[]) {}

  run(view: View, visit: Visit): boolean {
    for (; this.at < this.inputs.length; this.at++) if (!this.inputs[this.at]!.run(view, visit)) return false;
    return true;
  }
}
