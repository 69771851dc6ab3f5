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

/** Keys deleted per commit. Other writes run between commits. */
const CHUNK = 2_000;

/**
 * Deletes the keys of dropped collections and indexes in the background. The commit of the drop records what
 * to delete, so a crash only delays the deletion.
 */
export class GarbageCollector {
  private running: Promise<void> | undefined;
  private stopped = false;

  constructor(
    private readonly view: View,
    private readonly queue: WriteQueue,
    /** Indexes are also marked while they are being built, in case the build does not complete. */
    private readonly isInUse: (collectionId: number, indexId: number) => boolean,
    private readonly failed: (error: unknown) => void,
  ) {}

  /** Marks keys for deletion in the commit of a drop. Index 0 means the whole collection. */
  static mark(batch: Batch, collectionId: number, indexId: number): void {
    batch.put(garbageKey(collectionId, indexId), EMPTY);
  }

  static unmark(batch: Batch, collectionId: number, indexId: number): void {
    batch.remove(garbageKey(collectionId, indexId));
  }

  /** Starts deleting unless a run is already in progress. */
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

  /** Resolves to false when nothing is left to delete. */
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
