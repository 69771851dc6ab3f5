import type { ChangeCursor, VectorChanges, VectorRow, VectorSource } from '../../src/search/index.js';

export const MODEL = 'test-model';

interface Stored {
  seq: number;
  model: string;
  row: VectorRow | undefined;
}

/**
 * An in-memory implementation of the contract of `VectorSource`: numbered transactions, tombstones, pages.
 */
export class MemoryVectorSource implements VectorSource {
  private readonly tenants = new Map<string, Map<string, Stored>>();
  private readonly seqs = new Map<string, number>();
  /** Called before each batch with its number. The batch waits for the returned promise. */
  beforeBatch: (tenantId: string, batch: number) => void | Promise<void> = () => undefined;
  /** Called after a page of changes was read and before it is returned. */
  afterChanges: () => void | Promise<void> = () => undefined;
  fullReads = 0;
  changeReads = 0;
  /** Changes for cursors below this number are no longer available. */
  forgottenSeq = 0;

  constructor(
    private readonly batchSize = 7,
    private readonly pageSeqs = 3,
  ) {}

  /** Applies one transaction and returns its number. */
  commit(
    tenantId: string,
    rows: readonly VectorRow[],
    deletedIds: readonly string[] = [],
    model = MODEL,
  ): number {
    const seq = (this.seqs.get(tenantId) ?? 0) + 1;
    const stored = this.tenants.get(tenantId) ?? new Map<string, Stored>();
    this.tenants.set(tenantId, stored);
    this.seqs.set(tenantId, seq);
    for (const row of rows) stored.set(row.id, { seq, model, row });
    for (const id of deletedIds) stored.set(id, { seq, model, row: undefined });
    return seq;
  }

  async head(tenantId: string): Promise<ChangeCursor> {
    return this.seqs.get(tenantId) ?? 0;
  }

  async *vectors(tenantId: string, model: string, signal: AbortSignal): AsyncGenerator<readonly VectorRow[]> {
    this.fullReads++;
    const ids = [...(this.tenants.get(tenantId)?.keys() ?? [])];
    for (let from = 0, batch = 0; from < ids.length; from += this.batchSize, batch++) {
      const rows: VectorRow[] = [];
      for (const id of ids.slice(from, from + this.batchSize)) {
        const stored = this.tenants.get(tenantId)?.get(id);
        if (stored?.row && stored.model === model) rows.push(stored.row);
      }
      await this.beforeBatch(tenantId, batch);
      signal.throwIfAborted();
      yield rows;
    }
  }

  async changes(tenantId: string, model: string, after: ChangeCursor): Promise<VectorChanges | undefined> {
    this.changeReads++;
    if (after < this.forgottenSeq) return undefined;
    const head = this.seqs.get(tenantId) ?? 0;
    if (head < after) return undefined;
    const cursor = Math.min(head, after + this.pageSeqs);
    const rows: VectorRow[] = [];
    const deletedIds: string[] = [];
    for (const [id, stored] of this.tenants.get(tenantId) ?? []) {
      if (stored.seq <= after || stored.seq > cursor) continue;
      if (stored.row && stored.model === model) rows.push(stored.row);
      else deletedIds.push(id);
    }
    await this.afterChanges();
    return { rows, deletedIds, cursor, hasMore: cursor < head };
  }
}

/** 24 hex digits. */
export const idOf = (number: number): string => number.toString(16).padStart(24, '0');

export function normalised(values: readonly number[]): Float32Array {
  const length = Math.hypot(...values);
  return Float32Array.from(values, (value) => (length === 0 ? 0 : value / length));
}
