import { idDocument } from '../values/bson.js';
import type { Doc } from '../values/bson.js';
import type { TouchedPaths } from '../update/touched.js';
import type { ClusterClock, ClusterTime } from './cluster-clock.js';
import type { Namespace } from './namespace.js';

export type ChangeKind =
  | 'insert'
  | 'update'
  | 'replace'
  | 'delete'
  | 'create'
  | 'drop'
  | 'rename'
  | 'dropDatabase'
  | 'createIndexes'
  | 'dropIndexes'
  | 'modify';

/** One change, recorded by a statement and added to the log after the commit. */
export interface Change {
  readonly kind: ChangeKind;
  /** `coll` is empty for `dropDatabase`. */
  readonly ns: Namespace;
  readonly uuid: Uint8Array | undefined;
  /**
   * BSON. For an update or replacement: the document before it. For a delete: the document, or only its
   * `_id`.
   */
  before: Uint8Array | undefined;
  after: Uint8Array | undefined;
  /** Whether the collection records pre- and post-images. */
  readonly images: boolean;
  /** The paths named by an update with operators. Undefined for an update with a pipeline. */
  readonly touched: TouchedPaths | undefined;
  /** Details of a catalog change. */
  readonly catalog: CatalogChange | undefined;
  /** The transaction that made the change, if any. */
  txn: { readonly lsid: string; readonly txnNumber: bigint } | undefined;
  /** Set at commit. */
  time: ClusterTime;
  /** Orders changes with the same time. All changes of a transaction share one time. */
  index: number;
  /** Epoch milliseconds. */
  wallTime: number;
}

export interface CatalogChange {
  to?: Namespace;
  operationDescription: Doc;
  stateBeforeChange?: Doc;
}

/** A position in the log: at a change or between two changes. */
export interface LogPosition extends ClusterTime {
  readonly index: number;
}

/** An index that sorts after all changes of a time. */
export const AFTER_ALL = 0xffffffff;

export interface ChangeLogLimits {
  /** Limits on the changes that are kept even when no change stream is open. */
  bytes: number;
  changes: number;
}

const DEFAULT_LIMITS: ChangeLogLimits = { bytes: 32 * 1024 * 1024, changes: 100_000 };
/** Factor by which the unread changes of an open change stream may exceed the limits. */
const UNREAD_FACTOR = 4;
/** Estimated memory of a change excluding its documents, and of a document excluding its bytes. */
const CHANGE_BYTES = 256;
const VALUE_BYTES = 128;
const SLAB_BYTES = 256 * 1024;
const NOT_YET: ClusterTime = { t: 0, i: 0 };

export const comparePositions = (a: LogPosition, b: LogPosition): number =>
  a.t - b.t || a.i - b.i || a.index - b.index;

const positionOf = ({ time, index }: Change): LogPosition => ({ ...time, index });

/** Creates a change that has not been committed yet. */
export const newChange = (
  kind: ChangeKind,
  ns: Namespace,
  more: Partial<Pick<Change, 'uuid' | 'before' | 'after' | 'images' | 'touched' | 'catalog'>>,
): Change => ({
  kind,
  ns,
  uuid: more.uuid,
  before: more.before,
  after: more.after,
  images: more.images ?? false,
  touched: more.touched,
  catalog: more.catalog,
  txn: undefined,
  time: NOT_YET,
  index: 0,
  wallTime: 0,
});

/** A reader of the log. `next` is the number of the next change that it reads. */
export interface LogReader {
  next: number;
}

/**
 * The latest committed changes in commit order, kept in memory only. Documents are copied into slabs owned by
 * the log, because a slice of a socket or pool buffer would keep the whole buffer in memory.
 */
export class ChangeLog {
  private changes: Change[] = [];
  /** Index in `changes` of the oldest change that is kept. */
  private head = 0;
  /** Number of the oldest change that is kept. */
  private oldest = 0;
  private bytes = 0;
  private slab = Buffer.allocUnsafeSlow(0);
  private filled = 0;
  private readonly readers = new Set<LogReader>();
  private readonly listeners = new Set<() => void>();
  /** The log is complete after this position. */
  floor: LogPosition;

  constructor(
    readonly clock: ClusterClock,
    private readonly now: () => number,
    private readonly limits: ChangeLogLimits = DEFAULT_LIMITS,
  ) {
    const { t, i } = clock.time;
    this.floor = { t, i: i - 1, index: AFTER_ALL };
  }

  /** Number of the oldest change that is kept. */
  get first(): number {
    return this.oldest;
  }

  /** Number that the next change will get. */
  get end(): number {
    return this.oldest + this.changes.length - this.head;
  }

  at(number: number): Change | undefined {
    return this.changes[number - this.oldest + this.head];
  }

  /** Number of the first change after `position`. */
  firstAfter(position: LogPosition): number {
    let low = this.oldest;
    let high = this.end;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (comparePositions(positionOf(this.at(middle)!), position) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Keeps changes that `reader` has not read for longer, until the returned function is called. */
  addReader(reader: LogReader): () => void {
    this.readers.add(reader);
    return () => this.readers.delete(reader);
  }

  /** Calls `listener` after each commit that changed something, until the returned function is called. */
  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Appends the changes of a commit that has been flushed to disk. */
  append(changes: readonly Change[]): void {
    if (changes.length === 0) return;
    const wallTime = this.now();
    let before: Change | undefined;
    for (const change of changes) {
      const sameTransaction = change.txn !== undefined && change.txn === before?.txn;
      change.time = sameTransaction ? before!.time : this.clock.tick();
      change.index = sameTransaction ? before!.index + 1 : 0;
      change.wallTime = wallTime;
      this.keep(change);
      before = change;
    }
    this.shrink();
    for (const listener of this.listeners) listener();
  }

  private keep(change: Change): void {
    if (change.before) {
      const whole = change.kind !== 'delete' || change.images;
      change.before = this.retain(whole ? change.before : idDocument(change.before));
    }
    if (change.after) change.after = this.retain(change.after);
    this.changes.push(change);
    this.bytes += sizeOf(change);
  }

  private retain(bytes: Uint8Array): Uint8Array {
    const { length } = bytes;
    if (length > SLAB_BYTES / 8) return bytes.buffer.byteLength <= length * 2 ? bytes : bytes.slice();
    if (this.filled + length > this.slab.length) {
      this.slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.filled = 0;
    }
    const kept = this.slab.subarray(this.filled, this.filled + length);
    kept.set(bytes);
    this.filled += length;
    return kept;
  }

  private shrink(): void {
    if (!this.exceeds(1)) return;
    let unread = Infinity;
    for (const reader of this.readers) unread = Math.min(unread, reader.next);
    while (this.exceeds(this.oldest < unread ? 1 : UNREAD_FACTOR)) this.dropOldest();
    if (this.head > 1_000 && this.head > this.changes.length / 2) {
      this.changes = this.changes.slice(this.head);
      this.head = 0;
    }
  }

  private exceeds(factor: number): boolean {
    const { bytes, changes } = this.limits;
    return this.bytes > bytes * factor || this.changes.length - this.head > changes * factor;
  }

  private dropOldest(): void {
    const gone = this.changes[this.head]!;
    this.bytes -= sizeOf(gone);
    this.floor = positionOf(gone);
    this.head++;
    this.oldest++;
    // The array is compacted only occasionally. Until then it must not hold references to evicted changes.
    if ((this.head & 255) === 0) this.changes.fill(released, this.head - 256, this.head);
  }
}

const released: Change = newChange('insert', { db: '', coll: '' }, {});

const sizeOf = ({ before, after, touched }: Change): number =>
  CHANGE_BYTES +
  (before ? VALUE_BYTES + before.length : 0) +
  (after ? VALUE_BYTES + after.length : 0) +
  (touched?.bytes ?? 0);
