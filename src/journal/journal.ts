import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Logger } from '../common/index.js';
import { makeBatch, olderFirst, type Batch, type TakenFrame } from './batch.js';
import { systemClock, type JournalClock } from './clock.js';
import { judge } from './damage.js';
import { MAX_RECORD_BYTES } from './frame.js';
import { diskFs, type JournalFs } from './journal-fs.js';
import { JournalClosedError } from './journal.errors.js';
import { percentile, type JournalStats } from './journal-stats.js';
import { adoptDead, claimFolder, type OwnFolder } from './owner.js';
import {
  DONE_SUFFIX,
  Segment,
  SEGMENT_SUFFIX,
  type LoadedSegment,
  type MemoryBudget,
  type SegmentPlace,
} from './segment.js';
import { SegmentPool } from './segment-pool.js';
import { SegmentWriter, type JournalPosition } from './segment-writer.js';

export interface JournalOptions {
  /** Folder of all journals of this kind; processes of one machine may share it. */
  dir: string;
  /** A segment that would grow beyond it ends, bytes. Also what a crash at most lets come again although it was done. */
  maxSegmentBytes?: number;
  /** Waiting records held in memory, bytes; those beyond are read back from disk. */
  maxBufferedBytes?: number;
  /** Appends not yet on disk, bytes; those beyond are refused. */
  maxPendingBytes?: number;
  /** Between two looks for folders of dead processes. */
  adoptEveryMs?: number;
  /** Between two tries of a disk that failed. */
  probeEveryMs?: number;
  logger?: Pick<Logger, 'info' | 'warn' | 'error'>;
  clock?: JournalClock;
  fs?: JournalFs;
}

const MIB = 1024 * 1024;
const MAX_GROUP_BYTES = 4 * MIB;
/** Segments kept ready: their space is taken as long as the journal is open. */
const POOL_SIZE = 2;
const PREPARE_EVERY_MS = 10_000;
const DAMAGED_FOLDER = 'damaged';

const isRecordFile = (name: string): boolean => name.endsWith(SEGMENT_SUFFIX) || name.endsWith(DONE_SUFFIX);

/**
 * Records that are on disk when `append` resolves and stay there until the batch that took them is done, through the death of the
 * process: then another process on the same directory adopts them. At least once: a record may come again, none is lost.
 */
export class Journal {
  private readonly pool: SegmentPool;
  private readonly writer: SegmentWriter;
  private readonly budget: MemoryBudget;
  private readonly fs: JournalFs;
  private readonly clock: JournalClock;
  private readonly listeners = new Set<() => void>();
  private readonly timers: (() => void)[] = [];
  private readonly tally = { replayed: 0, adopted: 0, damaged: 0, tornBytes: 0 };
  /** Oldest first. */
  private segments: Segment[] = [];
  private returned: TakenFrame[] = [];
  private readonly inBatches = new Set<readonly TakenFrame[]>();
  private readonly unreadable = new Set<Segment>();
  /** Finished ones whose file has not got its new name yet. */
  private readonly recycling = new Set<string>();
  private tasks: Promise<unknown> = Promise.resolve();
  private created = 0;
  private latestTime = 0;
  private isClosed = false;

  private constructor(
    private readonly root: string,
    private readonly folder: OwnFolder,
    private readonly options: JournalOptions,
  ) {
    this.fs = options.fs ?? diskFs;
    this.clock = options.clock ?? systemClock;
    this.budget = { used: 0, max: options.maxBufferedBytes ?? 32 * MIB };
    const { maxSegmentBytes = 8 * MIB } = options;
    this.pool = this.createPool(maxSegmentBytes);
    this.writer = new SegmentWriter({
      maxSegmentBytes,
      maxGroupBytes: Math.min(MAX_GROUP_BYTES, maxSegmentBytes),
      maxPendingBytes: options.maxPendingBytes ?? 64 * MIB,
      now: () => this.clock.now(),
      pool: this.pool,
      onOpened: (segment) => this.segments.push(segment),
      onDurable: () => this.tell(),
      onFailure: (error) => {
        this.options.logger?.error({ err: error, dir: this.folder.path }, 'the journal cannot be written');
        this.tell();
      },
    });
  }

  /** Claims a folder below `dir` and takes over what dead processes left there. */
  static async open(options: JournalOptions): Promise<Journal> {
    const root = resolve(options.dir);
    const journal = new Journal(root, await claimFolder(root), options);
    try {
      await journal.fs.syncDirectory(root);
      await journal.adopt();
    } catch (error) {
      await journal.close();
      throw error;
    }
    journal.pool.prepare();
    const { clock, timers } = journal;
    timers.push(clock.every(options.adoptEveryMs ?? 10_000, () => void journal.adoptOrWarn()));
    timers.push(clock.every(PREPARE_EVERY_MS, () => journal.pool.prepare()));
    timers.push(clock.every(options.probeEveryMs ?? 1000, () => void journal.probe()));
    return journal;
  }

  /**
   * Resolves when the record is on disk. The bytes are copied.
   * @throws JournalUnavailableError the record is not in the journal; RangeError it is longer than 16 MiB; JournalClosedError
   */
  append(record: Uint8Array): Promise<JournalPosition> {
    if (this.isClosed) return Promise.reject(new JournalClosedError());
    if (record.length > MAX_RECORD_BYTES) {
      return Promise.reject(new RangeError(`A journal record has at most ${MAX_RECORD_BYTES} bytes.`));
    }
    return this.writer.append(record);
  }

  /** The oldest records that are in no batch, in the order of their appends; at least one if there is any, even beyond `maxBytes`. */
  take(maxRecords: number, maxBytes: number): Promise<Batch | undefined> {
    return this.exclusively(async () => {
      if (this.isClosed) return undefined;
      const taken: TakenFrame[] = [];
      let room = maxBytes;
      const fits = ({ record }: { record: Buffer }): boolean =>
        taken.length < maxRecords && (taken.length === 0 || record.length <= room);
      const add = (one: TakenFrame): void => {
        taken.push(one);
        room -= one.frame.record.length;
      };
      for (let one = this.returned[0]; one && fits(one.frame); one = this.returned[0]) {
        this.returned.shift();
        add(one);
      }
      if (this.returned.length === 0) await this.takeFromSegments(fits, add);
      if (taken.length === 0) return undefined;
      this.inBatches.add(taken);
      return makeBatch(taken, {
        done: (frames) => this.batchDone(frames),
        failed: (frames) => this.batchFailed(frames),
      });
    });
  }

  /** Calls `listener` when records may wait that did not before, and when the journal failed; the answer ends it. */
  onWaiting(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Records in no batch. */
  get waiting(): { count: number; bytes: number } {
    const waiting = { count: this.returned.length, bytes: 0 };
    for (const { frame } of this.returned) waiting.bytes += frame.record.length;
    for (const { untaken } of this.readable()) {
      waiting.count += untaken.records;
      waiting.bytes += untaken.bytes;
    }
    return waiting;
  }

  /** Age of the oldest record that is not done, milliseconds; at most too great, while the oldest is on disk only; 0 when there is none. */
  get oldestMs(): number {
    const times = [this.returned, ...this.inBatches].flatMap(([oldest]) =>
      oldest ? [oldest.frame.time] : [],
    );
    const first = this.readable().find(({ isAllTaken }) => !isAllTaken)?.oldestTime;
    const oldest = Math.min(...times, first ?? Infinity);
    return oldest === Infinity ? 0 : Math.max(0, this.clock.now() - oldest);
  }

  /** Whether appends are refused until the disk can be written again. */
  get isFailing(): boolean {
    return this.writer.failedBy !== undefined;
  }

  stats(): JournalStats {
    const { counts, groupMs } = this.writer;
    const sorted = groupMs.toSorted((a, b) => a - b);
    return {
      ...this.tally,
      appends: counts.appends,
      appendedBytes: counts.appendedBytes,
      syncs: counts.groups,
      groupMean: counts.groups === 0 ? 0 : counts.appends / counts.groups,
      groupMax: counts.largestGroup,
      syncMs: { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99) },
      failures: counts.failures,
      failing: this.isFailing,
      segments: this.segments.length,
      segmentBytes: this.segments.reduce((sum, { end }) => sum + end, 0),
      readySegments: this.pool.count,
      waiting: this.waiting,
      oldestMs: this.oldestMs,
      bufferedBytes: this.budget.used,
    };
  }

  /** Looks for folders of dead processes and takes over what is in them; answers how many records came. */
  adopt(): Promise<number> {
    return this.exclusively(async () => {
      if (this.isClosed) return 0;
      const folders = await adoptDead(this.root, this.folder, isRecordFile);
      const known = new Set([...this.segments.map(({ id }) => id), ...this.recycling]);
      const names = await this.fs.list(this.folder.path);
      await this.removeOrphans(names);
      const found = names
        .filter((name) => name.endsWith(SEGMENT_SUFFIX))
        .map((name) => name.slice(0, -SEGMENT_SUFFIX.length))
        .filter((id) => !known.has(id) && !id.endsWith(this.folder.name.slice(0, 8)));
      if (folders > 0) await this.fs.syncDirectory(this.folder.path);
      const records = await this.load(found.sort());
      this.tally.adopted += folders;
      this.tally.replayed += records;
      if (records > 0) {
        this.options.logger?.info({ folders, records }, 'journal records of ended processes taken over');
        this.tell();
      }
      return records;
    });
  }

  /** Whether the disk can be written; tries it when it could not. */
  async probe(): Promise<boolean> {
    if (this.isClosed) return false;
    const wasFailing = this.isFailing;
    const isWritable = await this.writer.probe();
    if (!isWritable) await this.exclusively(() => this.sweep());
    if (wasFailing && isWritable) this.options.logger?.info('the journal can be written again');
    return isWritable;
  }

  /** Waits for the appends under way. What is not done stays on disk for the next process, as do batches that have not ended. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const stop of this.timers) stop();
    await this.writer.close();
    await this.exclusively(async () => {
      await this.pool.close();
      await this.sweep();
      for (const segment of this.segments) await segment.release();
    });
    await this.folder.release();
  }

  private async takeFromSegments(
    fits: (frame: TakenFrame['frame']) => boolean,
    add: (one: TakenFrame) => void,
  ): Promise<void> {
    for (const segment of this.readable()) {
      const wasDamaged = segment.isDamaged;
      try {
        for (let frame = await segment.next(); frame; frame = await segment.next()) {
          if (!fits(frame)) return;
          await segment.advance(frame);
          add({ segment, frame });
        }
      } catch (error) {
        this.setUnreadable(segment, error);
      }
      if (segment.isDamaged && !wasDamaged)
        this.reportDamage(segment.id, 'its records were sound when written');
    }
    await this.sweep();
  }

  private async batchDone(taken: readonly TakenFrame[]): Promise<void> {
    this.inBatches.delete(taken);
    // A closed journal's folder may already be another's; there the records come again.
    if (this.isClosed) return;
    await this.exclusively(async () => {
      for (const segment of new Set(taken.map((one) => one.segment))) {
        await segment.done(taken.filter((one) => one.segment === segment).map(({ frame }) => frame));
      }
      await this.sweep();
    });
  }

  private batchFailed(taken: readonly TakenFrame[]): void {
    this.inBatches.delete(taken);
    this.returned = [...this.returned, ...taken].sort(olderFirst);
    this.tell();
  }

  /** Removes the files of which nothing is needed any more. */
  private async sweep(): Promise<void> {
    for (const segment of this.segments.filter((one) => one.isFinished && !this.unreadable.has(one))) {
      try {
        await this.retire(segment);
      } catch (error) {
        this.options.logger?.warn(
          { err: error, segment: segment.id },
          'a finished journal file cannot be removed',
        );
      }
      this.segments = this.segments.filter((one) => one !== segment);
    }
  }

  private async retire(segment: Segment): Promise<void> {
    if (!segment.isDamaged && this.pool.offer(segment)) {
      this.recycling.add(segment.id);
      return;
    }
    const damaged = join(this.root, DAMAGED_FOLDER);
    if (segment.isDamaged) await mkdir(damaged, { recursive: true, mode: 0o700 });
    await segment.discard(join(damaged, `${segment.id}.damaged`));
  }

  private async load(ids: readonly string[]): Promise<number> {
    const loaded: LoadedSegment[] = [];
    for (const id of ids) {
      try {
        loaded.push(await Segment.load(id, this.place));
      } catch (error) {
        this.reportDamage(id, 'the file cannot be read at all; it is tried again at the next start', error);
      }
    }
    for (const [index, one] of loaded.entries()) {
      const { damaged, torn } = judge(one, loaded.slice(index + 1));
      one.segment.isDamaged = damaged > 0;
      this.tally.tornBytes += torn;
      if (damaged > 0) this.reportDamage(one.segment.id, `${damaged} bytes of it cannot be read`);
    }
    this.segments.push(...loaded.map(({ segment }) => segment));
    this.segments.sort((a, b) => (a.id < b.id ? -1 : 1));
    await this.sweep();
    return loaded.reduce((sum, { segment }) => sum + segment.untaken.records, 0);
  }

  /** Marks whose segment is gone: their process died between the removal of the one and of the other. */
  private async removeOrphans(names: readonly string[]): Promise<void> {
    const segments = new Set(names.filter((name) => name.endsWith(SEGMENT_SUFFIX)));
    for (const name of names.filter((one) => one.endsWith(DONE_SUFFIX))) {
      const segment = `${name.slice(0, -DONE_SUFFIX.length)}${SEGMENT_SUFFIX}`;
      if (!segments.has(segment)) await this.fs.remove(join(this.folder.path, name));
    }
  }

  private setUnreadable(segment: Segment, error: unknown): void {
    this.unreadable.add(segment);
    this.reportDamage(
      segment.id,
      'the disk does not give it back; it is tried again at the next start',
      error,
    );
  }

  private reportDamage(segment: string, what: string, error?: unknown): void {
    this.tally.damaged += 1;
    this.options.logger?.error(
      { segment, dir: this.root, ...(error !== undefined && { err: error }) },
      `journal segment ${segment} is damaged: ${what}. What can be read of it is used, and the file is kept.`,
    );
  }

  private readable(): Segment[] {
    return this.unreadable.size === 0
      ? this.segments
      : this.segments.filter((one) => !this.unreadable.has(one));
  }

  /** Names sort by age, also when the wall clock was set back. */
  private newSegmentId(): string {
    this.latestTime = Math.max(this.latestTime, Math.trunc(this.clock.now()));
    return `${String(this.latestTime).padStart(15, '0')}-${String(this.created++).padStart(6, '0')}-${this.folder.name.slice(0, 8)}`;
  }

  private createPool(segmentBytes: number): SegmentPool {
    return new SegmentPool({
      size: POOL_SIZE,
      create: () => Segment.create(this.newSegmentId(), this.place),
      fill: (segment, goesOn) => segment.fill(segmentBytes, goesOn),
      recycle: (finished) =>
        finished.recycle(this.newSegmentId(), segmentBytes).finally(() => this.recycling.delete(finished.id)),
      onFailure: (error) => {
        this.options.logger?.warn(
          { err: error, dir: this.folder.path },
          'no journal file could be made ready: appends take longer',
        );
      },
    });
  }

  private get place(): SegmentPlace {
    return { fs: this.fs, dir: this.folder.path, budget: this.budget };
  }

  private async adoptOrWarn(): Promise<void> {
    try {
      await this.adopt();
    } catch (error) {
      this.options.logger?.warn({ err: error }, 'looking for journals of ended processes failed');
    }
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }

  private exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.tasks.then(work);
    this.tasks = result.catch(() => undefined);
    return result;
  }
}
