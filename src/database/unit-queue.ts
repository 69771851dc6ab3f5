import { backoffDelay } from '../common/index.js';
import type { QueuedUnit } from './unit-batch.js';

/** Units of one document in the order of their arrival, or one unit that refers to none. */
interface Lane {
  readonly key: string | undefined;
  readonly units: QueuedUnit[];
  /** Transactions that failed since one of its units was committed or refused. */
  failures: number;
  /** As of the last failure: other processes change the document as well. */
  isContested: boolean;
}

/** Units of one lane in a transaction; the lane enters no other one until `release` or `putBack`. */
export interface Load {
  readonly lane: Lane;
  readonly units: readonly QueuedUnit[];
}

/** A transaction that failed. Its loads share when it failed and the random part of their delay, so that they meet in the next one again. */
export interface Failure {
  /** Of `performance.now()`, milliseconds. */
  readonly at: number;
  /** 0 to 1. */
  readonly jitter: number;
  /** Whether other processes change the document of the key as well. */
  isContested(key: string | undefined): boolean;
}

const MAX_UNITS = 256;

/** Most units of one document in a transaction, so that a busy conversation leaves room for others. */
const MAX_UNITS_OF_LANE = 32;

/** A server takes commands of up to 16 MiB. */
const MAX_BYTES = 8 * 1024 * 1024;

const MAX_WAITING_UNITS = 20_000;
const MAX_WAITING_BYTES = 64 * 1024 * 1024;

/** A lane that failed this often is committed without others, and at last one unit at a time, to keep its failures from them. */
const FAILURES_BEFORE_ALONE = 2;
const FAILURES_BEFORE_SINGLE = 4;

/** The same where another process changes the document as well: alone it would meet the other one as often, in smaller transactions. */
const CONTESTED_FAILURES_BEFORE_ALONE = 8;

/** Short, as the pauses of other writers may be short too. */
const failureBackoff = { baseMs: 4, maxMs: 50, jitter: 1 };

/** Units that wait for a transaction. Lanes take turns, so that none waits for another one's units. */
export class UnitQueue {
  /** Number and size of the units that wait. */
  size = 0;
  private bytes = 0;
  /** Lanes that may enter a transaction, in turn. */
  private readonly ready: Lane[] = [];
  /** Lanes of documents with units that wait or are in a transaction. */
  private readonly lanes = new Map<string, Lane>();
  /** Lanes that wait for the end of a delay, by its time: those of one time share a timer. */
  private readonly delayed = new Map<number, Lane[]>();

  /** @param onReady called when a lane may enter a transaction */
  constructor(private readonly onReady: () => void) {}

  /** Whether units may enter a transaction now. */
  get isReady(): boolean {
    return this.ready.length > 0;
  }

  /** False: too much waits already, and the unit was not added. */
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

  /** The units of the next transaction. */
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

  /** All units of the load are committed or refused; the next ones of its lane wait for `restMs`. */
  release({ lane }: Load, restMs = 0): void {
    lane.failures = 0;
    this.leaveAfter(lane, restMs, performance.now());
  }

  /** The units of the load that are left have to be committed again: at once, or when they failed themselves, after a delay. */
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

  /** Removes the units that wait and that `isLate` names; returns them. */
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
