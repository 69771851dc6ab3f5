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
 * Takes one position of a scan; false pauses the scan after it. `bytes` when the scan has the document at
 * hand.
 */
export type Visit = (recordId: number, bytes: Uint8Array | undefined) => boolean;

/**
 * Record ids in the order of a plan. It holds nothing between runs but its position, so that each run may
 * read another view; changes made meanwhile are seen as far as they lie ahead.
 */
export interface RecordScan {
  /** Goes on until `visit` says stop (then false) or all is visited (then true). */
  run(view: View, visit: Visit): boolean;
  /** Key of the document that was visited last, where documents are scanned. */
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
   * The next run goes on after the position, also when this one came to the end: a tailable cursor has more
   * to come.
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

/** Reads a unique index's entries with their values, another's keys alone. */
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

  /** The key at which the visitor stopped. */
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

/** What remains of an interval after a key of it. */
const beyond = (interval: KeyInterval, key: Uint8Array, reverse: boolean): KeyInterval =>
  reverse ? { low: interval.low, high: key } : { low: successor(key), high: interval.high };

interface Head {
  key: Uint8Array;
  recordId: number;
  rest: Generator<{ key: Uint8Array; recordId: number }>;
}

/**
 * Several groups of intervals, each in order, as one sequence ordered by what follows the groups' own
 * prefixes.
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

  /** Every group goes on at its head, which was read but not visited. */
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

/** The intervals from `key` on, inclusive, in the direction of the scan. */
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
