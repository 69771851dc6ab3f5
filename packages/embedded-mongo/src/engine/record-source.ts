import { interrupted, ServerError } from '../values/errors.js';
import type { Collection } from './catalog.js';
import type { Index } from './index-definition.js';
import { documentKey, recordIdOfDocumentKey } from './key-layout.js';
import type { Plan } from './plan.js';
import type { PreparedQuery } from './prepared-query.js';
import { scanOf } from './scan.js';
import type { RecordScan } from './scan.js';
import { StoredDocument } from './stored-document.js';
import type { OpContext, ScanStats } from './types.js';
import type { View } from './view.js';

const SLICE_KEYS = 1_000;
const SLICE_MS = 4;

/** Limits how long a scan runs before other work gets a turn. */
export class Slice {
  private keys = 0;
  private readonly ends = performance.now() + SLICE_MS;

  /** Counts one examined key and returns true when the time is up. */
  spend(): boolean {
    this.keys++;
    return this.keys >= SLICE_KEYS || (this.keys % 32 === 0 && performance.now() > this.ends);
  }
}

/** Yields to the event loop. */
export const yieldToEventLoop = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export const checkInterrupt = (ctx: OpContext, now: () => number): void => {
  if (ctx.signal?.killed) throw interrupted(ctx.signal.reason);
  if (ctx.deadline !== undefined && now() >= ctx.deadline) {
    throw new ServerError('MaxTimeMSExpired', 'operation exceeded time limit');
  }
};

/** Finds the documents that match a query, in slices. */
export class RecordSource {
  readonly stats: ScanStats = { keysExamined: 0, docsExamined: 0, matched: 0, nReturned: 0 };
  private readonly scan: RecordScan;
  private readonly indexes: Index[];
  private seen: Set<number> | undefined;

  /** `once`: return each record only once, even if a change moves it forward in the scan. */
  constructor(
    readonly collection: Collection,
    private readonly query: PreparedQuery,
    private readonly once = false,
    private readonly ctx?: OpContext,
  ) {
    this.scan = scanOf(query.plan, collection.id);
    this.indexes = indexesOf(query.plan);
    for (const index of this.indexes) index.uses++;
  }

  /**
   * Visits matches until `visit` returns false or the slice is used up ('paused'), or until all are visited
   * ('done'). Throws QueryPlanKilled when the collection or an index of the plan was dropped.
   */
  run(
    view: View,
    slice: Slice,
    visit: (recordId: number, document: StoredDocument) => boolean,
  ): 'done' | 'paused' {
    this.requireAlive(view);
    const { check } = this.query;
    const finished = this.scanRecords(view, slice, (recordId, document) => {
      if (check && !check.matches(document.doc)) return true;
      this.stats.matched++;
      return visit(recordId, document);
    });
    return finished ? 'done' : 'paused';
  }

  private scanRecords(
    view: View,
    slice: Slice,
    visit: (recordId: number, document: StoredDocument) => boolean,
  ): boolean {
    const distinct = this.needsDistinct(this.query.plan) ? (this.seen ??= new Set()) : undefined;
    const fromIndex = this.indexes.length > 0;
    const { keysExamined, docsExamined } = this.stats;
    const finished = this.scan.run(view, (recordId, bytes) => {
      if (fromIndex) this.stats.keysExamined++;
      const goOn = !slice.spend();
      if (distinct) {
        if (distinct.has(recordId)) return goOn;
        distinct.add(recordId);
      }
      const stored = bytes ?? view.get(documentKey(this.collection.id, recordId));
      if (!stored) return goOn;
      this.stats.docsExamined++;
      return visit(recordId, new StoredDocument(stored)) && goOn;
    });
    if (this.ctx)
      this.report(this.ctx, this.stats.keysExamined - keysExamined, this.stats.docsExamined - docsExamined);
    return finished;
  }

  /** Adds to the totals that the whole operation has examined. */
  private report(ctx: OpContext, keys: number, docs: number): void {
    const { query } = this;
    const total = (ctx.examined ??= { keysExamined: 0, docsExamined: 0, plan: () => query.summary });
    total.keysExamined += keys;
    total.docsExamined += docs;
  }

  private needsDistinct(plan: Plan): boolean {
    if (plan.kind === 'or') return true;
    return plan.kind === 'index' && (this.once || plan.index.multikey);
  }

  /** Whether a collection scan has read at least one document. */
  get hasPosition(): boolean {
    return this.scan.position !== undefined;
  }

  private requireAlive(view: View): void {
    if (this.collection.dropped) {
      throw new ServerError('QueryPlanKilled', `collection dropped: ${this.collection.name}`);
    }
    for (const index of this.indexes) {
      if (index.dropped) throw new ServerError('QueryPlanKilled', `index '${index.spec.name}' dropped`);
    }
    const { position } = this.scan;
    if (!position || this.once || !this.collection.traits.capped || view.has(position)) return;
    throw new ServerError(
      'CappedPositionLost',
      `CollectionScan died due to position in capped collection being deleted. Last seen record id: RecordId(${recordIdOfDocumentKey(position)})`,
    );
  }
}

const indexesOf = (plan: Plan): Index[] => {
  switch (plan.kind) {
    case 'index':
    case 'point':
      return [plan.index];
    case 'or':
      return plan.inputs.flatMap(indexesOf);
    default:
      return [];
  }
};
