import {
  countersKey,
  documentPrefix,
  EMPTY,
  garbageKey,
  indexPrefix,
  KeySpace,
  prefixEnd,
  readU32,
  writeU32,
} from './key-layout.js';
import type { KeyRange, View } from './view.js';
import type { Batch, WriteQueue } from './write-queue.js';

/** Keys deleted in one commit, so that others are served between. */
const CHUNK = 2_000;

/**
 * Deletes what dropped collections and indexes have left, in the background. What is to be deleted is
 * recorded in the commit of the drop, so that a crash only delays it.
 */
export class GarbageCollector {
  private running: Promise<void> | undefined;
  private stopped = false;

  constructor(
    private readonly view: View,
    private readonly queue: WriteQueue,
    /** An index that is being built is marked as well, in case the build does not come to its end. */
    private readonly isInUse: (collectionId: number, indexId: number) => boolean,
    private readonly failed: (error: unknown) => void,
  ) {}

  /** To be put into the commit of a drop. Index 0 means the whole collection. */
  static mark(batch: Batch, collectionId: number, indexId: number): void {
    batch.put(garbageKey(collectionId, indexId), EMPTY);
  }

  static unmark(batch: Batch, collectionId: number, indexId: number): void {
    batch.remove(garbageKey(collectionId, indexId));
  }

  /** Begins to delete, unless it is at it. */
  start(): void {
    if (this.stopped) return;
    this.running ??= this.collect()
      .catch(this.failed)
      .finally(() => (this.running = undefined));
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  private async collect(): Promise<void> {
    for (let mark = this.nextMark(); mark && !this.stopped; mark = this.nextMark()) {
      const done = mark;
      const collectionId = readU32(mark, 1);
      const indexId = readU32(mark, 5);
      for (const range of rangesOf(collectionId, indexId)) {
        while (!this.stopped && (await this.deleteSome(range)));
      }
      if (this.stopped) return;
      await this.queue.run((batch) => {
        if (indexId === 0) batch.remove(countersKey(collectionId));
        batch.remove(done);
      });
    }
  }

  private nextMark(): Uint8Array | undefined {
    const space = new Uint8Array([KeySpace.garbage]);
    for (const key of this.view.keys({ low: space, high: prefixEnd(space) })) {
      if (!this.isInUse(readU32(key, 1), readU32(key, 5))) return key;
    }
    return undefined;
  }

  /** False when nothing is left. */
  private deleteSome(range: KeyRange): Promise<boolean> {
    return this.queue.run((batch) => {
      const keys: Uint8Array[] = [];
      for (const key of this.view.keys(range)) {
        keys.push(key);
        if (keys.length === CHUNK) break;
      }
      for (const key of keys) batch.remove(key);
      return keys.length === CHUNK;
    });
  }
}

const rangesOf = (collectionId: number, indexId: number): KeyRange[] => {
  const range = (prefix: Uint8Array): KeyRange => ({ low: prefix, high: prefixEnd(prefix) });
  if (indexId !== 0) return [range(indexPrefix(collectionId, indexId))];
  const indexes = new Uint8Array(5);
  indexes[0] = KeySpace.index;
  writeU32(indexes, 1, collectionId);
  return [range(documentPrefix(collectionId)), range(indexes)];
};
