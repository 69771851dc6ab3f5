import { EventEmitter } from 'node:events';
import type { KeyvStoreAdapter, StoredData } from 'keyv';
import { LRUCache } from 'lru-cache';
import type { Entry } from './entry.js';

interface Wrapped {
  value?: Entry;
  expires?: number | undefined;
}

/** Keyv's store for the memory of one process: least recently used out first, by number of entries and by bytes. */
export class LocalStore extends EventEmitter implements KeyvStoreAdapter {
  readonly opts = {};
  private readonly entries: LRUCache<string, Wrapped>;
  private evicted = 0;

  constructor(
    max: number,
    readonly maxBytes: number,
  ) {
    super();
    this.entries = new LRUCache({
      max,
      maxSize: maxBytes,
      sizeCalculation: ({ value }) => value?.bytes ?? 1,
      dispose: (_value, _key, reason) => {
        if (reason === 'evict') this.evicted++;
      },
    });
  }

  get size(): number {
    return this.entries.size;
  }

  get max(): number {
    return this.entries.max;
  }

  /** Estimated bytes of all entries. */
  get bytes(): number {
    return this.entries.calculatedSize;
  }

  /** Entries that made room for others. */
  get evictions(): number {
    return this.evicted;
  }

  /** The entry at once, unless it has expired. */
  find(key: string): Entry | undefined {
    const wrapped = this.entries.get(key);
    if (wrapped?.expires === undefined || Date.now() <= wrapped.expires) return wrapped?.value;
    this.entries.delete(key);
    return undefined;
  }

  /**
   * Keeps an entry at once. Keyv's own `set` waits a little before it does, in which a deletion may pass that is to undo it.
   */
  put(key: string, entry: Entry, ttlMs: number): void {
    this.entries.set(key, { value: entry, expires: Date.now() + ttlMs });
  }

  remove(key: string): void {
    this.entries.delete(key);
  }

  get<Value>(key: string): Promise<StoredData<Value> | undefined> {
    return Promise.resolve(this.entries.get(key) as StoredData<Value> | undefined);
  }

  set(key: string, value: Wrapped): Promise<boolean> {
    this.entries.set(key, value);
    return Promise.resolve(true);
  }

  delete(key: string): Promise<boolean> {
    return Promise.resolve(this.entries.delete(key));
  }

  clear(): Promise<void> {
    this.entries.clear();
    return Promise.resolve();
  }
}
