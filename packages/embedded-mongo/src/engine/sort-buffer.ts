import type { Sort } from '../query/sort.js';
import type { Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import type { StoredDocument } from './stored-document.js';

const SORT_MEMORY_BYTES = 100 * 1024 * 1024;
/** Estimated bytes per record besides its document: the sort key and the objects that hold it. */
const RECORD_OVERHEAD = 128;
/** With a limit, up to this multiple of it is collected before the records that sort last are dropped. */
const TOP_SLACK = 2;

interface Sorted {
  recordId: number;
  bytes: Uint8Array;
  key: Value[];
  /** Arrival order, which decides between equal keys. */
  arrival: number;
}

/** Sorts in memory within MongoDB's limit of 100 MB. With a limit, it keeps only the first records. */
export class SortBuffer {
  private records: Sorted[] = [];
  private memory = 0;
  private arrivals = 0;
  /**
   * The last of the first `limit` records, once that many are known. Records that sort after it are not kept.
   */
  private worst: Sorted | undefined;

  constructor(
    private readonly sort: Sort,
    private readonly limit: number,
    private readonly maxMemory = SORT_MEMORY_BYTES,
  ) {}

  add(recordId: number, document: StoredDocument): void {
    const key = this.sort.sortKey(document.doc);
    if (this.worst && this.sort.compareKeys(key, this.worst.key) >= 0) return;
    this.records.push({ recordId, bytes: document.bytes, key, arrival: this.arrivals++ });
    this.memory += document.bytes.length + RECORD_OVERHEAD;
    if (this.records.length >= Math.max(this.limit * TOP_SLACK, this.limit + 64)) this.cut();
    if (this.memory > this.maxMemory) {
      this.cut();
      if (this.memory > this.maxMemory) throw this.tooLarge();
    }
  }

  *sorted(): Generator<{ recordId: number; bytes: Uint8Array }> {
    this.cut();
    const { records } = this;
    this.records = [];
    yield* records;
  }

  private cut(): void {
    this.records.sort((a, b) => this.sort.compareKeys(a.key, b.key) || a.arrival - b.arrival);
    if (this.records.length < this.limit) return;
    this.records.length = this.limit;
    this.worst = this.records.at(-1);
    this.memory = this.records.reduce((sum, record) => sum + record.bytes.length + RECORD_OVERHEAD, 0);
  }

  private tooLarge(): ServerError {
    return new ServerError(
      'QueryExceededMemoryLimitNoDiskUseAllowed',
      `Sort exceeded memory limit of ${this.maxMemory} bytes, but did not opt in to external sorting.`,
    );
  }
}
