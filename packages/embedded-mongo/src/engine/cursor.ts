import { compileFilter } from '../query/matcher.js';
import { compileProjection } from '../query/projection.js';
import type { Projection } from '../query/projection.js';
import { encode, long } from '../values/bson.js';
import type { Doc } from '../values/bson.js';
import { getPath } from '../values/path.js';
import type { Collection } from './catalog.js';
import { PreparedQuery } from './prepared-query.js';
import { yieldToEventLoop, checkInterrupt, RecordSource, Slice } from './record-source.js';
import { SortBuffer } from './sort-buffer.js';
import { StoredDocument } from './stored-document.js';
import type { EngineCursor, FindSpec, OpContext, PlanSummary, ScanStats } from './types.js';
import type { View } from './view.js';

const MAX_BATCH_BYTES = 16 * 1024 * 1024;

/** Insertion order, in which tailable cursors read. */
const inserted: Doc = { $natural: 1 };

/** The source of a cursor. The collection and the plan are checked again for every slice. */
export interface CursorSource {
  /** Throws when the reader's transaction has ended. */
  view: () => View;
  now: () => number;
  snapshotSeq?: number;
}

type Batch = { docs: Uint8Array[]; done: boolean };

export class FindCursor implements EngineCursor {
  readonly stats: ScanStats;
  private readonly query: PreparedQuery;
  private readonly source: RecordSource;
  private readonly sortBuffer: SortBuffer | undefined;
  private readonly projection: Projection | undefined;
  private toSkip: number;
  private left: number;
  private exhausted = false;
  /** A match that did not fit into the last batch. */
  private pending: Uint8Array | undefined;
  private sorted: Iterator<{ recordId: number; bytes: Uint8Array }> | undefined;

  constructor(
    protected readonly collection: Collection,
    private readonly spec: FindSpec,
    private readonly ctx: OpContext,
    private readonly reader: CursorSource,
  ) {
    this.query = new PreparedQuery(
      collection,
      spec.tailable ? { ...spec, sort: undefined, hint: inserted } : spec,
      reader.snapshotSeq,
    );
    this.source = new RecordSource(collection, this.query, false, ctx);
    this.stats = this.source.stats;
    this.toSkip = spec.skip ?? 0;
    this.left = spec.limit && spec.limit > 0 ? spec.limit : Infinity;
    const { blockingSort } = this.query;
    if (blockingSort) this.sortBuffer = new SortBuffer(blockingSort, this.toSkip + this.left);
    if (spec.projection && Object.keys(spec.projection).length > 0) {
      const projection = compileProjection(spec.projection, this.query.filter.ast, { let: spec.let });
      if (!projection.isNoop) this.projection = projection;
    }
  }

  get plan(): PlanSummary {
    return this.query.summary;
  }

  async next(maxDocs: number, maxBytes = MAX_BATCH_BYTES): Promise<Batch> {
    if (this.exhausted) return { docs: [], done: true };
    if (this.sortBuffer && !this.sorted) await this.sortAll(this.sortBuffer);
    const docs: Uint8Array[] = [];
    let bytes = 0;
    const take = (recordId: number, document: StoredDocument): boolean => {
      if (this.toSkip > 0) {
        this.toSkip--;
        return true;
      }
      const shown = this.shape(recordId, document);
      this.left--;
      if (docs.length > 0 && bytes + shown.length > maxBytes) {
        this.pending = shown;
        return false;
      }
      docs.push(shown);
      bytes += shown.length;
      return docs.length < maxDocs && this.left > 0 && bytes < maxBytes;
    };
    if (this.pending) {
      docs.push(this.pending);
      bytes = this.pending.length;
      this.pending = undefined;
    }
    const room = () => docs.length < maxDocs && bytes < maxBytes && this.left > 0 && !this.pending;
    if (room()) await this.fill(take, room);
    this.stats.nReturned += docs.length;
    if (this.left <= 0 && !this.pending) this.exhausted = true;
    return { docs, done: this.exhausted && !this.pending };
  }

  close(): void {
    this.exhausted = true;
    this.pending = undefined;
    this.sorted = undefined;
  }

  private async fill(
    take: (recordId: number, document: StoredDocument) => boolean,
    room: () => boolean,
  ): Promise<void> {
    if (this.sorted) {
      this.takeSorted(this.sorted, take, room);
      return;
    }
    for (;;) {
      checkInterrupt(this.ctx, this.reader.now);
      if (this.source.run(this.reader.view(), new Slice(), take) === 'done') {
        // An empty collection has no position from which a tailable cursor could resume.
        this.exhausted = !this.spec.tailable || !this.source.hasPosition;
        return;
      }
      if (!room()) return;
      await yieldToEventLoop();
    }
  }

  private takeSorted(
    sorted: Iterator<{ recordId: number; bytes: Uint8Array }>,
    take: (recordId: number, document: StoredDocument) => boolean,
    room: () => boolean,
  ): void {
    while (room()) {
      const item = sorted.next();
      if (item.done) {
        this.exhausted = true;
        return;
      }
      take(item.value.recordId, new StoredDocument(item.value.bytes));
    }
  }

  private async sortAll(buffer: SortBuffer): Promise<void> {
    for (;;) {
      checkInterrupt(this.ctx, this.reader.now);
      const state = this.source.run(this.reader.view(), new Slice(), (recordId, document) => {
        buffer.add(recordId, document);
        return true;
      });
      if (state === 'done') break;
      await yieldToEventLoop();
    }
    this.sorted = buffer.sorted();
  }

  private shape(recordId: number, document: StoredDocument): Uint8Array {
    const { spec, projection } = this;
    if (!projection && !spec.showRecordId && !spec.returnKey) return document.bytes;
    let doc = document.doc;
    if (spec.returnKey) doc = this.keyOf(doc);
    else if (projection) {
      const arrayIndex = projection.needsPosition
        ? this.query.filter.matchPositional(doc).arrayIndex
        : undefined;
      doc = projection.apply(doc, arrayIndex);
    }
    // As in MongoDB, `returnKey` suppresses the record id.
    return encode(spec.showRecordId && !spec.returnKey ? { ...doc, $recordId: long(recordId) } : doc);
  }

  private keyOf(doc: Doc): Doc {
    const key: Doc = {};
    for (const field of Object.keys(this.plan.keyPattern ?? {})) key[field] = getPath(doc, field)[0] ?? null;
    return key;
  }
}

/** A tailable cursor that notifies its reader when there may be more documents. */
export class AwaitCursor extends FindCursor {
  onMore(wake: () => void): () => void {
    const { listeners } = this.collection;
    listeners.add(wake);
    return () => listeners.delete(wake);
  }
}

/** The cursor of a query on a collection that does not exist. */
export class EmptyCursor implements EngineCursor {
  readonly plan: PlanSummary = { stage: 'EOF', filtered: false, blockingSort: false };
  readonly stats: ScanStats = { keysExamined: 0, docsExamined: 0, matched: 0, nReturned: 0 };

  /** Throws if the filter would be invalid for any collection. */
  constructor(spec?: FindSpec) {
    if (spec) compileFilter(spec.filter, { let: spec.let });
  }

  next(): Promise<Batch> {
    return Promise.resolve({ docs: [], done: true });
  }

  close(): void {}
}
