import { EventEmitter } from 'node:events';
import type { KeyvStoreAdapter, StoredData } from 'keyv';
import { LRUCache } from 'lru-cache';
import type { Entry } from './entry.js';
import type { Generations } from './generations.js';

/**
 * Keyv store in the memory of one process, limited by number of entries and by bytes; the least recently used
 * entries are evicted first. Returns only valid entries.
 */
export class LocalStore extends EventEmitter implements KeyvStoreAdapter {
  readonly opts = {};
  private readonly entries: LRUCache<string, Entry>;
  private evicted = 0;

  constructor(
    max: number,
    readonly maxBytes: number,
    private readonly generations: Generations,
  ) {
    super();
    this.entries = new LRUCache({
      max,
      maxSize: maxBytes,
      sizeCalculation: ({ bytes }) => bytes,
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

  /** Entries removed because of the limits. */
  get evictions(): number {
    return this.evicted;
  }

  /** Synchronous `get`. */
  find(key: string): Entry | undefined {
    const entry = this.entries.get(key);
    if (!entry || this.isValid(entry)) return entry;
    this.entries.delete(key);
    return undefined;
  }

  /** Synchronous `set`. */
  put(key: string, entry: Entry): void {
    if (this.isValid(entry)) this.entries.set(key, entry);
  }

  get<Value>(key: string): Promise<StoredData<Value> | undefined> {
    const entry = this.find(key);
    return Promise.resolve(entry && ({ value: entry } as StoredData<Value>));
  }

  set(key: string, { value }: { value: Entry }): Promise<boolean> {
    this.put(key, value);
    return Promise.resolve(true);
  }

  delete(key: string): Promise<boolean> {
    return Promise.resolve(this.entries.delete(key));
  }

  clear(): Promise<void> {
    this.entries.clear();
    return Promise.resolve();
  }

  private isValid({ flight, localUntil, generation, tenantId }: Entry): boolean {
    return !flight.cancelled && Date.now() < localUntil && generation === this.generations.of(tenantId);
  }
}
