import { backoffDelay } from '../common/index.js';
import type { QueuedUnit } from './unit-batch.js';

/** The units of one document in order of arrival, or a single unit that references none. */
interface Lane {
  readonly key: string | undefined;
  readonly units: QueuedUnit[];
  /** Failed transactions since a unit of the lane was last committed or rejected. */
  failures: number;
  /** Whether, at the last failure, other processes were changing the document as well. */
  isContested: boolean;
}

/**
 * The units of one lane in a transaction. The lane enters no other transaction until `release` or `putBack`.
 */
export interface Load {
  readonly lane: Lane;
  readonly units: readonly QueuedUnit[];
}

/**
 * A failed transaction. Its loads share the time of the failure and the random part of their delay, so that
 * they enter the next transaction together again.
 */
export interface Failure {
  /** From `performance.now()`, in milliseconds. */
  readonly at: number;
  /** Between 0 and 1. */
  readonly jitter: number;
  /** Whether other processes change the document with this key as well. */
  isContested(key: string | undefined): boolean;
}

const MAX_UNITS = 256;

/**
 * Maximum number of units of one document in a transaction, so that a busy conversation leaves room for
 * others.
 */
const MAX_UNITS_OF_LANE = 32;

/** Stays well below the server's limit of 16 MiB for a command. */
const MAX_BYTES = 8 * 1024 * 1024;

const MAX_WAITING_UNITS = 20_000;
const MAX_WAITING_BYTES = 64 * 1024 * 1024;

/**
 * A lane that failed this often is committed alone, and later one unit at a time, so that its failures do not
 * affect others.
 */
const FAILURES_BEFORE_ALONE = 2;
const FAILURES_BEFORE_SINGLE = 4;

/**
 * The same for a contested document. Alone, the lane would conflict with the other process just as often, in
 * smaller transactions.
 */
const CONTESTED_FAILURES_BEFORE_ALONE = 8;

/** Short, because the pauses of other writers may be short too. */
const failureBackoff = { baseMs: 4, maxMs: 50, jitter: 1 };

/**
 * Queues units that wait for a transaction. Lanes take turns, so that no lane has to wait for all units of
 * another.
 */
export class UnitQueue {
  /** Number of waiting units; `bytes` is their size. */
  size = 0;
  private bytes = 0;
  /** Lanes that may enter a transaction, in order of their turn. */
  private readonly ready: Lane[] = [];
  /** Lanes of documents that have units waiting or in a transaction. */
  private readonly lanes = new Map<string, Lane>();
  /** Delayed lanes by the time when their delay ends; lanes with the same time share a timer. */
  private readonly delayed = new Map<number, Lane[]>();

  /** @param onReady called when a lane may enter a transaction */
  constructor(private readonly onReady: () => void) {}

  /** Whether units may enter a transaction now. */
  get isReady(): boolean {
    return this.ready.length > 0;
  }

  /** Returns false, without adding the unit, when too much is waiting already. */
  add(queued: QueuedUnit): boolean {
    if (this.size >= MAX_WAITING_UNITS || this.bytes + queued.bytes > MAX_WAITING_BYTES) return false;
    this.count([queued], 1);
    const present = queued.key === undefined ? undefined : this.lanes.get(queued.key);
    if (present) {
      present.units.push(queued);
      return true;
    }
    const lane: Lane = { key: queued.key, units: [queued], failures: 0, isContested: false };
    if (lane.key !== undefined) this.lanes.set(lane.key, lane);
    this.enter(lane);
    return true;
  }

  /** Removes and returns the units of the next transaction. */
  take(): Load[] {
    const loads: Load[] = [];
    let count = 0;
    let bytes = 0;
    let [lane] = this.ready;
    while (lane) {
      const isAlone =
        lane.failures >= (lane.isContested ? CONTESTED_FAILURES_BEFORE_ALONE : FAILURES_BEFORE_ALONE);
      if (isAlone && loads.length > 0) break;
      const most = isAlone && lane.failures >= FAILURES_BEFORE_SINGLE ? 1 : MAX_UNITS_OF_LANE;
      const units: QueuedUnit[] = [];
      for (const queued of lane.units) {
        const isFirst = count === 0;
        if (units.length === most || count === MAX_UNITS || (!isFirst && bytes + queued.bytes > MAX_BYTES))
          break;
        units.push(queued);
        count++;
        bytes += queued.bytes;
      }
      if (units.length === 0) break;
      this.ready.shift();
      lane.units.splice(0, units.length);
      this.count(units, -1);
      loads.push({ lane, units });
      if (isAlone) break;
      [lane] = this.ready;
    }
    return loads;
  }

  /**
   * Call when all units of the load are committed or rejected. The next units of its lane wait for `restMs`.
   */
  release({ lane }: Load, restMs = 0): void {
    lane.failures = 0;
    this.leaveAfter(lane, restMs, performance.now());
  }

  /**
   * Call when the remaining units of the load must be retried: immediately, or after a delay if they failed
   * themselves.
   */
  putBack({ lane }: Load, left: readonly QueuedUnit[], failure?: Failure): void {
    lane.units.unshift(...left);
    this.count(left, 1);
    if (!failure) {
      this.enter(lane);
      return;
    }
    lane.failures++;
    lane.isContested = failure.isContested(lane.key);
    const delayMs = backoffDelay(lane.failures, { ...failureBackoff, random: () => failure.jitter });
    this.leaveAfter(lane, delayMs, failure.at);
  }

  /** Removes and returns the waiting units for which `isLate` returns true. */
  remove(isLate: (queued: QueuedUnit) => boolean): QueuedUnit[] {
    const removed: QueuedUnit[] = [];
    for (const lane of new Set([
      ...this.ready,
      ...this.lanes.values(),
      ...[...this.delayed.values()].flat(),
    ])) {
      const late = lane.units.filter(isLate);
      if (late.length === 0) continue;
      removed.push(...late);
      const left = lane.units.filter((queued) => !late.includes(queued));
      lane.units.splice(0, lane.units.length, ...left);
    }
    this.count(removed, -1);
    for (let index = this.ready.length - 1; index >= 0; index--) {
      const lane = this.ready[index];
      if (lane?.units.length !== 0) continue;
      this.ready.splice(index, 1);
      this.leave(lane);
    }
    return removed;
  }

  private enter(lane: Lane): void {
    this.ready.push(lane);
    this.onReady();
  }

  private leaveAfter(lane: Lane, delayMs: number, from: number): void {
    if (delayMs === 0) {
      this.leave(lane);
      return;
    }
    const dueAt = Math.ceil(from + delayMs);
    const others = this.delayed.get(dueAt);
    if (others) {
      others.push(lane);
      return;
    }
    const lanes = [lane];
    this.delayed.set(dueAt, lanes);
    setTimeout(() => {
      this.delayed.delete(dueAt);
      for (const one of lanes) this.leave(one);
    }, dueAt - performance.now());
  }

  private leave(lane: Lane): void {
    if (lane.units.length > 0) this.enter(lane);
    else if (lane.key !== undefined) this.lanes.delete(lane.key);
  }

  private count(units: readonly QueuedUnit[], sign: 1 | -1): void {
    this.size += sign * units.length;
    for (const { bytes } of units) this.bytes += sign * bytes;
  }
}
