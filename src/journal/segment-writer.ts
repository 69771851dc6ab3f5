import { frameBytes, writeFrame, type Frame } from './frame.js';
import { JournalOverloadedError, JournalUnavailableError } from './journal.errors.js';
import type { Segment } from './segment.js';
import type { SegmentPool } from './segment-pool.js';

/** Where a record is in the journal. */
export interface JournalPosition {
  segment: string;
  /** Bytes from the segment's begin. */
  offset: number;
}

export interface SegmentWriterOptions {
  maxSegmentBytes: number;
  maxGroupBytes: number;
  maxPendingBytes: number;
  now: () => number;
  pool: SegmentPool;
  /** Called before the first write to a segment. */
  onOpened: (segment: Segment) => void;
  /** Called in order, before the appends of the group resolve. */
  onDurable: (segment: Segment) => void;
  onFailure: (error: unknown) => void;
}

interface PendingAppend {
  record: Buffer;
  time: number;
  resolve: (position: JournalPosition) => void;
  reject: (error: Error) => void;
}

/** Samples of the time that a group's write and sync took: the last ones only. */
const TIMES_KEPT = 1024;
const PROBE_BYTES = 64 * 1024;

/**
 * Group commit: while one group is written and synced the next collects, so that many appends share one fdatasync and a lone one
 * waits for nobody. The next segment is prepared while one is written. After a failed write or sync nothing more of that segment is trusted: it is cut back to what was synced before.
 */
export class SegmentWriter {
  readonly counts = { appends: 0, appendedBytes: 0, groups: 0, largestGroup: 0, failures: 0 };
  readonly groupMs: number[] = [];
  private active: Segment | undefined;
  private pending: PendingAppend[] = [];
  private pendingBytes = 0;
  private running: Promise<void> | undefined;
  private failure: { cause: unknown } | undefined;
  private probing: Promise<boolean> | undefined;

  constructor(private readonly options: SegmentWriterOptions) {}

  /** Why no appends are taken at the moment. */
  get failedBy(): unknown {
    return this.failure?.cause;
  }

  /** Resolves when the record is on disk. */
  append(record: Uint8Array): Promise<JournalPosition> {
    if (this.failure) return Promise.reject(JournalUnavailableError.stillFailing(this.failure.cause));
    if (this.pendingBytes + record.length > this.options.maxPendingBytes && this.pendingBytes > 0) {
      return Promise.reject(new JournalOverloadedError(this.pendingBytes));
    }
    // A copy, as the caller may use its bytes again before they are written.
    const copy = Buffer.from(record);
    this.pendingBytes += copy.length;
    return new Promise((resolve, reject) => {
      this.pending.push({ record: copy, time: this.options.now(), resolve, reject });
      // In a microtask: what is appended in one go makes one group.
      this.running ??= Promise.resolve().then(() => this.run());
    });
  }

  /** Resolves when no append waits any more. */
  async idle(): Promise<void> {
    await this.running;
    await this.probing;
  }

  /** Whether the disk can be written again; tries it when it could not. */
  probe(): Promise<boolean> {
    if (!this.failure) return Promise.resolve(true);
    this.probing ??= this.tryDisk().finally(() => (this.probing = undefined));
    return this.probing;
  }

  /** Waits for the appends under way, then gives back the space that the segment at hand did not need. */
  async close(): Promise<void> {
    await this.idle();
    const { active } = this;
    this.active = undefined;
    await active?.cut();
  }

  private async run(): Promise<void> {
    while (this.pending.length > 0) {
      const group = this.takeGroup();
      try {
        await this.commit(group);
      } catch (error) {
        await this.fail(error, group);
      }
    }
    this.running = undefined;
  }

  private takeGroup(): PendingAppend[] {
    let bytes = 0;
    let size = 0;
    for (const { record } of this.pending) {
      bytes += frameBytes(record);
      if (size > 0 && bytes > this.options.maxGroupBytes) break;
      size += 1;
    }
    return this.pending.splice(0, size);
  }

  private async commit(group: readonly PendingAppend[]): Promise<void> {
    const bytes = group.reduce((sum, { record }) => sum + frameBytes(record), 0);
    const segment = await this.segmentFor(bytes);
    const frames = Buffer.allocUnsafe(bytes);
    let at = 0;
    const begin = segment.end;
    for (const { record, time } of group) {
      at = writeFrame(frames, at, { record, time, group: begin }, segment.salt);
    }
    const start = performance.now();
    await segment.write(frames);
    this.measured(performance.now() - start, group);
    const added = group.map(({ record, time }): Frame => segment.added(record, time, begin));
    this.options.onDurable(segment);
    group.forEach(({ record, resolve }, index) => {
      this.pendingBytes -= record.length;
      resolve({ segment: segment.id, offset: added[index]?.offset ?? 0 });
    });
  }

  private async segmentFor(bytes: number): Promise<Segment> {
    if (this.active && this.active.end > 0 && this.active.end + bytes > this.options.maxSegmentBytes) {
      const full = this.active;
      this.active = undefined;
      await full.seal();
    }
    if (this.active) return this.active;
    this.active = await this.nextSegment();
    return this.active;
  }

  private async nextSegment(): Promise<Segment> {
    const segment = await this.options.pool.take();
    this.options.onOpened(segment);
    return segment;
  }

  private measured(ms: number, group: readonly PendingAppend[]): void {
    const { counts } = this;
    this.groupMs[counts.groups % TIMES_KEPT] = ms;
    counts.groups += 1;
    counts.appends += group.length;
    counts.appendedBytes += group.reduce((sum, { record }) => sum + record.length, 0);
    counts.largestGroup = Math.max(counts.largestGroup, group.length);
  }

  /** Refuses the group and all that wait behind it, and gives the segment up. */
  private async fail(cause: unknown, group: readonly PendingAppend[]): Promise<void> {
    this.failure = { cause };
    this.counts.failures += 1;
    const { active } = this;
    this.active = undefined;
    // Cut before the answer: what was refused must not be replayed if that can be helped.
    await active?.cut();
    const refused = [...group, ...this.pending];
    this.pending = [];
    this.pendingBytes = 0;
    for (const { reject } of refused) reject(JournalUnavailableError.afterWrite(cause));
    this.options.onFailure(cause);
  }

  /** A new segment that takes and syncs as much as a few records would need is the one to go on with. */
  private async tryDisk(): Promise<boolean> {
    let segment: Segment | undefined;
    try {
      segment = await this.nextSegment();
      await segment.tryWrite(PROBE_BYTES);
    } catch (error) {
      await segment?.cut();
      this.failure = { cause: error };
      return false;
    }
    this.active = segment;
    this.failure = undefined;
    return true;
  }
}
