import { readField } from '../values/bson.js';
import type { Collection } from './catalog.js';
import { Index } from './index-definition.js';
import { entriesOf } from './index-entries.js';
import {
  countersKey,
  documentPrefix,
  prefixEnd,
  readU64,
  recordIdOfDocumentKey,
  successor,
  withRecordId,
} from './key-layout.js';
import { yieldToEventLoop, Slice } from './record-source.js';
import type { Snapshot } from './store.js';
import { StoredDocument } from './stored-document.js';
import type { ValidationResult } from './types.js';
import type { KeyRange } from './view.js';

const MOST_ERRORS = 20;

/** An index as derived from the documents, and as stored. */
interface IndexCheck {
  index: Index;
  /** Receives the flags that computing entries may set, so that the real index keeps its own. */
  probe: Index;
  expected: number;
  missing: number;
}

/**
 * Reads every document of one snapshot and compares its expected index entries with the stored ones, and the
 * counted totals with the collection's counters. `checkAlive` throws to stop early. The snapshot is released
 * at the end.
 */
export const validateCollection = async (
  collection: Collection,
  snapshot: Snapshot,
  checkAlive: () => void,
): Promise<ValidationResult> => {
  try {
    return await new Validation(collection, snapshot, checkAlive).run();
  } finally {
    snapshot.release();
  }
};

class Validation {
  private readonly errors: string[] = [];
  private readonly checks: IndexCheck[];
  private documents = 0;
  private bytes = 0;
  private corrupt = 0;

  constructor(
    private readonly collection: Collection,
    private readonly snapshot: Snapshot,
    private readonly checkAlive: () => void,
  ) {
    this.checks = collection.indexes
      .filter((index) => index.readyAt !== undefined && !index.building)
      .map((index) => ({
        index,
        probe: new Index(collection.id, index.id, index.spec),
        expected: 0,
        missing: 0,
      }));
  }

  async run(): Promise<ValidationResult> {
    const { view } = this.snapshot;
    await this.inSlices(documentPrefix(this.collection.id), (range, slice) => {
      for (const { key, value } of view.entries(range)) {
        this.checkDocument(recordIdOfDocumentKey(key), value);
        if (slice.spend()) return key;
      }
      return undefined;
    });
    const keysPerIndex: Record<string, number> = {};
    const missing: Record<string, number> = {};
    const extra: Record<string, number> = {};
    for (const check of this.checks) {
      const { name } = check.index.spec;
      const stored = await this.countKeys(check.index.prefix);
      keysPerIndex[name] = stored;
      if (check.missing > 0) missing[name] = check.missing;
      const surplus = stored - (check.expected - check.missing);
      if (surplus > 0) extra[name] = surplus;
      this.checkIndex(check, surplus);
    }
    this.checkCounters();
    return {
      documents: this.documents,
      corrupt: this.corrupt,
      keysPerIndex,
      missing,
      extra,
      errors: this.errors,
    };
  }

  private addError(error: string): void {
    if (this.errors.length < MOST_ERRORS) this.errors.push(error);
  }

  private checkDocument(recordId: number, bytes: Uint8Array): void {
    this.documents++;
    this.bytes += bytes.length;
    try {
      const document = new StoredDocument(bytes);
      if (readField(bytes, '_id') === undefined) this.addError(`record ${recordId} has no _id`);
      for (const check of this.checks) this.checkEntries(check, document, recordId);
    } catch (error) {
      this.corrupt++;
      this.addError(
        `record ${recordId} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }

  private checkEntries(check: IndexCheck, document: StoredDocument, recordId: number): void {
    const { view } = this.snapshot;
    for (const { key } of entriesOf(check.probe, document)) {
      check.expected++;
      const found = check.probe.unique
        ? holdsRecord(view.get(key), recordId)
        : view.has(withRecordId(key, recordId));
      if (!found) check.missing++;
    }
  }

  private checkIndex({ index, probe, missing }: IndexCheck, surplus: number): void {
    const { name } = index.spec;
    if (missing > 0) this.addError(`index ${name} is missing ${missing} entries`);
    if (surplus > 0) this.addError(`index ${name} has ${surplus} entries without a matching document`);
    if (probe.multikey && !index.multikey) this.addError(`index ${name} is not marked as multikey`);
    if (probe.cut && !index.cut) this.addError(`index ${name} is not marked as having cut keys`);
  }

  private checkCounters(): void {
    const row = this.snapshot.view.get(countersKey(this.collection.id));
    const [documents, bytes] = row ? [readU64(row, 0), readU64(row, 8)] : [0, 0];
    if (documents !== this.documents || bytes !== this.bytes)
      this.addError(
        `the counters show ${documents} documents of ${bytes} bytes, but there are ${this.documents} of ${this.bytes} bytes`,
      );
  }

  private async countKeys(prefix: Uint8Array): Promise<number> {
    let count = 0;
    await this.inSlices(prefix, (range, slice) => {
      for (const key of this.snapshot.view.keys(range)) {
        count++;
        if (slice.spend()) return key;
      }
      return undefined;
    });
    return count;
  }

  /** Visits the keys with the prefix in slices. `visit` returns the key after which to continue later. */
  private async inSlices(
    prefix: Uint8Array,
    visit: (range: KeyRange, slice: Slice) => Uint8Array | undefined,
  ): Promise<void> {
    const high = prefixEnd(prefix);
    for (let low: Uint8Array | undefined = prefix; low;) {
      this.checkAlive();
      const last = visit({ low, high }, new Slice());
      low = last && successor(last);
      if (low) await yieldToEventLoop();
    }
  }
}

const holdsRecord = (value: Uint8Array | undefined, recordId: number): boolean =>
  value !== undefined && value.length === 8 && readU64(value, 0) === recordId;
