import { setImmediate as nextTurn } from 'node:timers/promises';
import { dotProduct, isFiniteVector } from './dot-product.js';
import { ResidentMatrix } from './resident-matrix.js';
import { TopHits, type VectorHit } from './top-hits.js';
import { matches, type VectorQuery } from './vector-filter.js';
import { VectorMatrix } from './vector-matrix.js';
import type { VectorSearch } from './vector-search.js';
import type { CommittedChange, VectorRow, VectorSource } from './vector-source.js';
import { VectorDimensionError, VectorValueError } from './vector.errors.js';

/** Maximum number of rows processed before yielding to the event loop. */
const ROWS_PER_TURN = 5_000;
/** A tenant that was too large is loaded again once it would fill no more than this share of the limit. */
const RELOAD_SHARE = 0.8;
const MAX_BUILDS_PER_SEARCH = 3;

export interface VectorIndexOptions {
  /** Limit for all matrices together, including those being built. */
  maxBytes: number;
  /** Called for each row that cannot be searched (wrong dimension or not finite) when it is read. */
  onRejected?: (tenantId: string, id: string, error: Error) => void;
}

export interface VectorIndexStats {
  /** Number of matrices in memory: one for each tenant and model. */
  tenants: number;
  vectors: number;
  bytes: number;
  maxBytes: number;
  /** Number of matrices built by reading all rows from the source. */
  builds: number;
  /** Total time of the builds, milliseconds. */
  buildMs: number;
  /** Number of matrices evicted to make room for others, or because they exceeded the limit. */
  evictions: number;
  searches: number;
  /** Number of searches that read all rows from the source, because the tenant does not fit in memory. */
  streamed: number;
  /** Number of rows read that could not be searched. */
  rejected: number;
}

interface Target {
  key: string;
  tenantId: string;
  model: string;
}

const targetOf = (tenantId: string, model: string): Target => ({
  key: JSON.stringify([tenantId, model]),
  tenantId,
  model,
});

const tenantOf = (key: string): unknown => (JSON.parse(key) as unknown[])[0];

/**
 * Exact search over the vectors of all tenants. A tenant's matrix is built by its first search and kept in
 * memory until it is evicted. Before each search, the changes committed by any process are applied
 * (`VectorSource.changes`), so that a search sees every change that was committed before it began, in any
 * process. `VectorSource` describes why this is exact.
 */
export class VectorIndex implements VectorSearch {
  /** In order of use, least recently used first. */
  private readonly residents = new Map<string, ResidentMatrix>();
  private readonly builds = new Map<string, Promise<ResidentMatrix | undefined>>();
  private readonly underConstruction = new Set<VectorMatrix>();
  /** Tenants whose matrix alone exceeds the limit. */
  private readonly large = new Set<string>();
  private readonly closing = new AbortController();
  private readonly counters = { builds: 0, buildMs: 0, evictions: 0, searches: 0, streamed: 0, rejected: 0 };

  constructor(
    private readonly source: VectorSource,
    private readonly options: VectorIndexOptions,
  ) {}

  /**
   * Returns the tenant's rows most similar to `query` (L2-normalized), best first, equal scores by id. If the
   * tenant is streamed, a row deleted during the search may still be returned: look up the ids and ignore
   * those that no longer exist.
   * @throws VectorDimensionError if the matrix was built for another dimension; VectorValueError; RangeError
   * (limit); errors of the source
   */
  async search(
    tenantId: string,
    model: string,
    query: Float32Array,
    options: VectorQuery,
    signal?: AbortSignal,
  ): Promise<VectorHit[]> {
    signal?.throwIfAborted();
    this.counters.searches++;
    if (!isFiniteVector(query)) throw new VectorValueError('The query');
    const target = targetOf(tenantId, model);
    const resident = await this.current(target, query.length);
    if (resident) return resident.matrix.searchInTurns(query, options, signal);
    this.counters.streamed++;
    return this.stream(target, query, options, signal);
  }

  /**
   * Applies a change committed by this process, so that the next search need not read it. Call it after the
   * commit. It has no effect on a tenant that is not in memory; a matrix that is being built reads the change
   * itself.
   */
  apply(tenantId: string, model: string, change: CommittedChange): void {
    const target = targetOf(tenantId, model);
    const resident = this.residents.get(target.key);
    if (!resident) return;
    resident.apply(change);
    this.settle(target, resident);
  }

  /** Releases the matrices of a tenant that is being deleted. */
  forget(tenantId: string): void {
    for (const key of this.residents.keys()) if (tenantOf(key) === tenantId) this.residents.delete(key);
    for (const key of this.large) if (tenantOf(key) === tenantId) this.large.delete(key);
  }

  stats(): VectorIndexStats {
    let vectors = 0;
    for (const { matrix } of this.residents.values()) vectors += matrix.size;
    const { maxBytes } = this.options;
    return { tenants: this.residents.size, vectors, bytes: this.bytes(), maxBytes, ...this.counters };
  }

  /** Aborts builds and streams in progress with an AbortError, and releases all matrices. */
  close(): void {
    this.closing.abort();
    this.residents.clear();
  }

  /**
   * Returns the tenant's matrix with everything committed so far, or undefined if it does not fit in memory.
   */
  private async current(target: Target, dimension: number): Promise<ResidentMatrix | undefined> {
    for (let turn = 0; turn < MAX_BUILDS_PER_SEARCH && !this.large.has(target.key); turn++) {
      this.closing.signal.throwIfAborted();
      const resident = this.use(target.key) ?? (await this.build(target, dimension));
      if (!resident) return undefined;
      if (await resident.catchUp()) {
        this.settle(target, resident);
        return resident;
      }
      if (this.residents.get(target.key) === resident) this.residents.delete(target.key);
    }
    return undefined;
  }

  private use(key: string): ResidentMatrix | undefined {
    const resident = this.residents.get(key);
    if (!resident) return undefined;
    this.residents.delete(key);
    this.residents.set(key, resident);
    return resident;
  }

  private build(target: Target, dimension: number): Promise<ResidentMatrix | undefined> {
    const running = this.builds.get(target.key);
    if (running) return running;
    const matrix = new VectorMatrix(dimension);
    this.underConstruction.add(matrix);
    const build = this.read(target, matrix).finally(() => {
      this.underConstruction.delete(matrix);
      this.builds.delete(target.key);
    });
    this.builds.set(target.key, build);
    return build;
  }

  private async read(target: Target, matrix: VectorMatrix): Promise<ResidentMatrix | undefined> {
    const started = performance.now();
    const { tenantId, model, key } = target;
    const { signal } = this.closing;
    const put = (into: VectorMatrix, row: VectorRow): void => this.put(tenantId, into, row);
    // Read before the rows: changes committed while the rows are read are applied again afterward and take
    // precedence.
    const cursor = await this.source.head(tenantId, signal);
    for await (const rows of this.inTurns(this.source.vectors(tenantId, model, signal))) {
      signal.throwIfAborted();
      for (const row of rows) put(matrix, row);
      if (!this.makeRoom(matrix)) {
        if (matrix.bytes > this.options.maxBytes) this.large.add(key);
        return undefined;
      }
    }
    signal.throwIfAborted();
    const resident = new ResidentMatrix(
      matrix,
      cursor,
      (after) => this.source.changes(tenantId, model, after, signal),
      put,
    );
    this.underConstruction.delete(matrix);
    this.residents.set(key, resident);
    this.counters.builds++;
    this.counters.buildMs += performance.now() - started;
    return resident;
  }

  /**
   * Skips and reports rows that cannot be compared, so that they do not prevent the tenant from searching the
   * others.
   */
  private put(tenantId: string, matrix: VectorMatrix, row: VectorRow): void {
    try {
      matrix.upsert(row.id, row.vector, row);
    } catch (error) {
      if (!(error instanceof VectorDimensionError || error instanceof VectorValueError)) throw error;
      matrix.delete(row.id);
      this.counters.rejected++;
      this.options.onRejected?.(tenantId, row.id, error);
    }
  }

  private bytes(): number {
    let bytes = 0;
    for (const { matrix } of this.residents.values()) bytes += matrix.bytes;
    for (const matrix of this.underConstruction) bytes += matrix.bytes;
    return bytes;
  }

  /**
   * Evicts the least recently used matrices other than `kept` until all fit. Returns false if they do not fit
   * even then.
   */
  private makeRoom(kept: VectorMatrix): boolean {
    let excess = this.bytes() - this.options.maxBytes;
    if (kept.bytes > this.options.maxBytes) return false;
    for (const [key, { matrix }] of this.residents) {
      if (excess <= 0) break;
      if (matrix === kept) continue;
      this.residents.delete(key);
      this.counters.evictions++;
      excess -= matrix.bytes;
    }
    return excess <= 0;
  }

  /** Called after a matrix has grown: evicts others to make room, or this one if it does not fit. */
  private settle({ key }: Target, resident: ResidentMatrix): void {
    if (this.residents.get(key) !== resident || this.makeRoom(resident.matrix)) return;
    this.residents.delete(key);
    this.counters.evictions++;
    if (resident.matrix.bytes > this.options.maxBytes) this.large.add(key);
  }

  private async stream(
    { key, tenantId, model }: Target,
    query: Float32Array,
    options: VectorQuery,
    signal?: AbortSignal,
  ): Promise<VectorHit[]> {
    const hits = new TopHits(options.limit);
    const either = signal ? AbortSignal.any([signal, this.closing.signal]) : this.closing.signal;
    let rowsSeen = 0;
    for await (const rows of this.inTurns(this.source.vectors(tenantId, model, either))) {
      either.throwIfAborted();
      rowsSeen += rows.length;
      for (const row of rows) {
        if (row.vector.length !== query.length || !isFiniteVector(row.vector)) continue;
        if (!Number.isFinite(row.at) || !matches(row, options)) continue;
        const score = dotProduct(query, row.vector, 0);
        if (score >= hits.floor) hits.offer(row.id, score);
      }
    }
    const bytes = VectorMatrix.bytesFor(rowsSeen, query.length);
    if (bytes <= RELOAD_SHARE * this.options.maxBytes) this.large.delete(key);
    return hits.sorted();
  }

  /** Yields the source's batches in parts, giving way to the event loop every few thousand rows. */
  private async *inTurns(batches: AsyncIterable<readonly VectorRow[]>): AsyncGenerator<readonly VectorRow[]> {
    let rowsInTurn = 0;
    for await (const batch of batches) {
      for (let from = 0; from < batch.length; from += ROWS_PER_TURN) {
        const rows = batch.slice(from, from + ROWS_PER_TURN);
        rowsInTurn += rows.length;
        yield rows;
        if (rowsInTurn < ROWS_PER_TURN) continue;
        rowsInTurn = 0;
        await nextTurn();
      }
    }
  }
}
