import type { Segment } from './segment.js';

export interface SegmentPoolOptions {
  /** Segments kept ready. */
  size: number;
  /** Makes an empty segment, younger than all before it. */
  create: () => Promise<Segment>;
  /** Zero-fills a segment from `create`, while `goesOn`. */
  fill: (segment: Segment, goesOn: () => boolean) => Promise<void>;
  /** Makes an empty segment, younger than all before it, of the file of one that is finished; undefined when the file is no good for it. */
  recycle: (finished: Segment) => Promise<Segment | undefined>;
  /** None could be made ready; the next one is made when it is needed. */
  onFailure: (error: unknown) => void;
}

/**
 * Segments made ready in the background, of files that exist at their full length: a write to one of those changes bytes alone, and
 * the file system has no allocation to commit, which is most of the time of a sync. Finished ones are used again, as filling new
 * ones costs the disk as much as the records do.
 */
export class SegmentPool {
  private readonly ready: Segment[] = [];
  /** In the making, one after another. */
  private readonly making: Promise<void>[] = [];
  private isWanted = false;
  private isClosed = false;

  constructor(private readonly options: SegmentPoolOptions) {}

  /** Segments that are ready. */
  get count(): number {
    return this.ready.length;
  }

  /** Begins to make new ones until there are so many. */
  prepare(count = this.options.size): void {
    while (!this.isClosed && this.upcoming < count) {
      this.enqueue(async () => {
        const segment = await this.options.create();
        try {
          await this.options.fill(segment, () => !this.isWanted && !this.isClosed);
          return segment;
        } catch (error) {
          // A full disk needs the space for records.
          await segment.discardUnused();
          throw error;
        }
      });
    }
  }

  /** Takes the file of a finished segment, unless there are enough. */
  offer(finished: Segment): boolean {
    if (this.isClosed || this.upcoming >= this.options.size) return false;
    this.enqueue(() => this.options.recycle(finished));
    return true;
  }

  /**
   * The oldest segment that is ready; one that is in the making as far as it is; a new one when there is none. In the order of their
   * names: what is made is made one after another, and a new one only while none is in the making.
   */
  async take(): Promise<Segment> {
    this.isWanted = true;
    while (this.ready.length === 0 && this.making.length > 0) await this.making[0];
    this.isWanted = false;
    const segment = this.ready.shift() ?? this.options.create();
    // Room for more is left to finished segments, as long as one is ready.
    this.prepare(1);
    return segment;
  }

  /** Removes the files. */
  async close(): Promise<void> {
    this.isClosed = true;
    await Promise.all(this.making);
    for (const segment of this.ready.splice(0)) await segment.discardUnused();
  }

  private get upcoming(): number {
    return this.ready.length + this.making.length;
  }

  private enqueue(make: () => Promise<Segment | undefined>): void {
    const made = (this.making.at(-1) ?? Promise.resolve()).then(async () => {
      try {
        const segment = await make();
        if (!segment) return;
        this.ready.push(segment);
        this.isWanted = false;
      } catch (error) {
        this.options.onFailure(error);
      } finally {
        void this.making.shift();
      }
    });
    this.making.push(made);
  }
}
