import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { frameBytes, readFrame, saltOf, scanFrames, type Frame, type Gap } from './frame.js';
import type { JournalFile, JournalFs } from './journal-fs.js';

export const SEGMENT_SUFFIX = '.seg';
export const DONE_SUFFIX = '.done';

/** Bytes that one read back from disk asks for. */
const READ_BYTES = 1024 * 1024;
const DONE_MARK_BYTES = 12;
/** Zeros of one step: few enough that an append beside it hardly waits for the disk. */
const FILL_STEP_BYTES = 256 * 1024;

/** How many bytes of waiting records are held in memory, for all segments together. */
export interface MemoryBudget {
  used: number;
  readonly max: number;
}

export interface LoadedSegment {
  segment: Segment;
  gaps: readonly Gap[];
  /** Where the group of its last frame begins. */
  lastGroup: number;
  /** Bytes after its last frame that begin like a frame and are none. */
  torn: number;
}

export interface SegmentPlace {
  fs: JournalFs;
  dir: string;
  budget: MemoryBudget;
}

/**
 * One file of frames with a reader's cursor and a mark up to where its records are done. Records wait in memory while the budget
 * lasts; the others are read back from the file when their turn comes.
 */
export class Segment {
  readonly salt: number;
  /** No frame is added any more. */
  isSealed = false;
  /** Something in it could not be read: the file is kept aside in the end instead of deleted. */
  isDamaged = false;
  /** End of the last frame that is on disk, bytes. */
  end = 0;
  /** Records (and their bytes) not yet taken. */
  untaken = { records: 0, bytes: 0 };
  private cursor = 0;
  private doneTo = 0;
  private gaps: readonly Gap[] = [];
  private lowerTime = 0;
  private readonly doneBeyond = new Map<number, number>();
  private readonly buffered = new Map<number, Frame>();
  private file: JournalFile | undefined;
  private doneFile: JournalFile | undefined;
  private doneWrites: Promise<void> = Promise.resolve();

  private constructor(
    readonly id: string,
    private readonly place: SegmentPlace,
  ) {
    this.salt = saltOf(id);
  }

  get path(): string {
    return join(this.place.dir, `${this.id}${SEGMENT_SUFFIX}`);
  }

  private get donePath(): string {
    return join(this.place.dir, `${this.id}${DONE_SUFFIX}`);
  }

  /** Makes a new, empty file whose name is durable. */
  static async create(id: string, place: SegmentPlace): Promise<Segment> {
    const segment = new Segment(id, place);
    segment.file = await place.fs.open(segment.path, 'new');
    try {
      await place.fs.syncDirectory(place.dir);
    } catch (error) {
      await segment.cut();
      throw error;
    }
    return segment;
  }

  /** Reads a segment that an earlier process wrote. */
  static async load(id: string, place: SegmentPlace): Promise<LoadedSegment> {
    const segment = new Segment(id, place);
    segment.isSealed = true;
    const file = await segment.opened();
    const bytes = await file.read(0, await file.size());
    segment.doneTo = segment.cursor = await segment.readDoneMark(bytes.length);
    await segment.closeFile();
    const {
      gaps,
      end,
      torn,
      lastGroup,
      records,
      bytes: recordBytes,
      firstTime = 0,
    } = scanFrames(bytes, segment.salt, segment.cursor);
    segment.end = end;
    segment.gaps = gaps;
    segment.untaken = { records, bytes: recordBytes };
    segment.lowerTime = firstTime;
    return { segment, gaps, lastGroup, torn };
  }

  /** Writes zeros up to `to`, a step at a time while `goesOn`; for a segment without frames. */
  async fill(to: number, goesOn: () => boolean): Promise<void> {
    const file = await this.opened();
    for (let at = await file.size(); at < to && goesOn(); at += FILL_STEP_BYTES) {
      await file.fill(at, Math.min(at + FILL_STEP_BYTES, to));
    }
  }

  /**
   * Ends this finished segment and makes an empty one of its file, whose name is durable; undefined when the file is shorter than
   * `bytes`. The frames in it are none of the new one's, by its salt, until they are written over.
   */
  async recycle(id: string, bytes: number): Promise<Segment | undefined> {
    const { fs, dir } = this.place;
    const next = new Segment(id, this.place);
    await this.release();
    await fs.rename(this.path, next.path);
    try {
      next.file = await fs.open(next.path, 'reuse');
      const isLongEnough = (await next.file.size()) >= bytes;
      if (isLongEnough) await fs.syncDirectory(dir);
      else await next.discardUnused();
      await fs.remove(this.donePath);
      return isLongEnough ? next : undefined;
    } catch (error) {
      await next.discardUnused();
      throw error;
    }
  }

  get isAllTaken(): boolean {
    return this.afterGap(this.cursor) >= this.end;
  }

  /** Whether each record is done and none can be added: the file may go. */
  get isFinished(): boolean {
    return this.isSealed && this.isAllDone;
  }

  /** Whether each record so far is done. */
  get isAllDone(): boolean {
    return this.afterGap(this.doneTo) >= this.end;
  }

  /** Time of the oldest record not yet taken; while it is on disk only, a time that it is not older than. */
  get oldestTime(): number | undefined {
    if (this.isAllTaken) return undefined;
    return this.buffered.get(this.afterGap(this.cursor))?.time ?? this.lowerTime;
  }

  /** Writes and syncs `group`, the frames of this segment from `end` on; none of them may be trusted when it throws. */
  async write(group: Buffer): Promise<void> {
    const file = await this.opened();
    await file.writeThrough(group, this.end);
  }

  /** Whether the disk takes and syncs `bytes`: throws when it does not; adds no frame. */
  async tryWrite(bytes: number): Promise<void> {
    const file = await this.opened();
    await file.fill(this.end, this.end + bytes);
  }

  /** Takes note of a frame that is on disk now, at `end`. */
  added(record: Buffer, time: number, group: number): Frame {
    const frame = { offset: this.end, end: this.end + frameBytes(record), group, time, record };
    if (this.isAllTaken) this.lowerTime = time;
    this.end = frame.end;
    this.untaken.records += 1;
    this.untaken.bytes += record.length;
    this.keep(frame, false);
    return frame;
  }

  /**
   * Ends a segment and cuts off what follows its last frame on disk, if the disk obeys: prepared space, and after a failure what was not
   * acknowledged, which otherwise shows up at a replay as records that nobody was promised, or as a damaged end.
   */
  async cut(): Promise<void> {
    this.isSealed = true;
    await this.file?.truncate(this.end).catch(() => undefined);
    await this.seal();
  }

  async seal(): Promise<void> {
    this.isSealed = true;
    if (this.isAllTaken) await this.closeFile();
  }

  /** The next record in order, or undefined when all are taken. */
  async next(): Promise<Frame | undefined> {
    while (!this.isAllTaken) {
      const frame = this.buffered.get(this.afterGap(this.cursor));
      if (frame) return frame;
      await this.readBack();
    }
    return undefined;
  }

  /** Moves the cursor past `frame`, which `next` answered. */
  async advance(frame: Frame): Promise<void> {
    if (this.buffered.delete(frame.offset)) this.place.budget.used -= frame.record.length;
    this.cursor = frame.end;
    this.lowerTime = frame.time;
    this.untaken.records -= 1;
    this.untaken.bytes -= frame.record.length;
    this.forgetLost();
    if (this.isAllTaken && this.isSealed) await this.closeFile();
  }

  /** Marks frames as done. The mark is written without a sync: it outlives the process, and a power cut only makes records come again. */
  async done(frames: readonly Pick<Frame, 'offset' | 'end'>[]): Promise<void> {
    for (const { offset, end } of frames) this.doneBeyond.set(offset, end);
    const before = this.doneTo;
    for (;;) {
      const at = this.afterGap(this.doneTo);
      const end = this.doneBeyond.get(at);
      if (end === undefined) break;
      this.doneBeyond.delete(at);
      this.doneTo = end;
    }
    if (this.doneTo === before || this.isFinished) return this.doneWrites;
    this.doneWrites = this.doneWrites.then(() => this.writeDoneMark());
    return this.doneWrites;
  }

  /** Deletes the file, or renames it to `aside` when something in it could not be read. */
  async discard(aside: string): Promise<void> {
    await this.release();
    if (this.isDamaged) await this.place.fs.rename(this.path, aside);
    else await this.place.fs.remove(this.path);
    await this.place.fs.remove(this.donePath);
  }

  /** Removes a file that no record was written to. One that stays is removed by the next process, as it is empty. */
  async discardUnused(): Promise<void> {
    this.isSealed = true;
    await this.closeFile();
    await this.place.fs.remove(this.path).catch(() => undefined);
  }

  /** Closes the files; the records stay on disk. */
  async release(): Promise<void> {
    await this.doneWrites;
    await this.doneFile?.close();
    this.doneFile = undefined;
    await this.closeFile();
    for (const { record } of this.buffered.values()) this.place.budget.used -= record.length;
    this.buffered.clear();
  }

  private afterGap(offset: number): number {
    const gap = this.gaps.find(([from]) => from === offset);
    return gap ? this.afterGap(gap[1]) : offset;
  }

  private keep(frame: Frame, isNeeded: boolean): boolean {
    const { budget } = this.place;
    if (!isNeeded && budget.used + frame.record.length > budget.max) return false;
    budget.used += frame.record.length;
    this.buffered.set(frame.offset, frame);
    return true;
  }

  /** Reads the frames at the cursor into memory: the first in any case, the others while the budget lasts. */
  private async readBack(): Promise<void> {
    const file = await this.opened();
    const from = this.afterGap(this.cursor);
    let chunk = await file.read(from, Math.min(READ_BYTES, this.end - from));
    const first = readFrame(chunk, 0, this.salt);
    if (typeof first === 'number' && from + first <= this.end) chunk = await file.read(from, first);
    for (let at = 0; at < chunk.length;) {
      const found = readFrame(chunk, at, this.salt);
      if (typeof found !== 'object') {
        if (at === 0) await this.skipDamage(file);
        return;
      }
      const offset = from + at;
      // A copy: a view would hold the whole chunk for as long as one record waits.
      const frame = { ...found, offset, end: from + found.end, record: Buffer.from(found.record) };
      if (!this.buffered.has(offset) && !this.keep(frame, at === 0)) return;
      at = found.end;
    }
  }

  /** What was sound when it was written cannot be read at the cursor any more: goes on with the next record that can. */
  private async skipDamage(file: JournalFile): Promise<void> {
    const from = this.afterGap(this.cursor);
    const { end } = this;
    const bytes = await file.read(from, end - from);
    const [gap] = scanFrames(bytes, this.salt).gaps;
    const inMemory = [...this.buffered.keys()].filter((offset) => offset > from);
    const next = Math.min(end, ...inMemory, gap ? from + gap[1] : end);
    this.isDamaged = true;
    this.gaps = [...this.gaps, [from, next]];
    this.forgetLost();
  }

  /** Records that damage took were counted as untaken; at the end it is known that there are none left. */
  private forgetLost(): void {
    if (this.isAllTaken) this.untaken = { records: 0, bytes: 0 };
  }

  private async opened(): Promise<JournalFile> {
    this.file ??= await this.place.fs.open(this.path, 'read');
    return this.file;
  }

  private async closeFile(): Promise<void> {
    const { file } = this;
    this.file = undefined;
    await file?.close().catch(() => undefined);
  }

  private async writeDoneMark(): Promise<void> {
    const mark = Buffer.alloc(DONE_MARK_BYTES);
    mark.writeDoubleLE(this.doneTo, 0);
    mark.writeUInt32LE(crc32(mark.subarray(0, 8), this.salt), 8);
    try {
      this.doneFile ??= await this.place.fs.open(this.donePath, 'update');
      await this.doneFile.write(mark, 0);
    } catch {
      // Without the mark the records come again after a crash, which is allowed.
    }
  }

  private async readDoneMark(size: number): Promise<number> {
    try {
      const file = await this.place.fs.open(this.donePath, 'read');
      const mark = await file.read(0, DONE_MARK_BYTES).finally(() => file.close());
      const isSound =
        mark.length === DONE_MARK_BYTES && crc32(mark.subarray(0, 8), this.salt) === mark.readUInt32LE(8);
      const offset = isSound ? mark.readDoubleLE(0) : 0;
      return offset <= size ? offset : 0;
    } catch {
      return 0;
    }
  }
}
