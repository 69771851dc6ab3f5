import { setImmediate as nextTurn } from 'node:timers/promises';
import { dotProduct, isFiniteVector } from './dot-product.js';
import { ResidentMatrix } from './resident-matrix.js';
import { TopHits, type VectorHit } from './top-hits.js';
import { matches, type VectorQuery } from './vector-filter.js';
import { VectorMatrix } from './vector-matrix.js';
import type { VectorSearch } from './vector-search.js';
import type { CommittedChange, VectorRow, VectorSource } from './vector-source.js';
import { VectorDimensionError, VectorValueError } from './vector.errors.js';

/** Rows that are taken over, or scored from the source, before others have a turn. */
const ROWS_PER_TURN = 5_000;
/** A tenant that was too large is loaded again when it would fill this much of the bound. */
const ROOM_TO_RETURN = 0.8;
const MAX_BUILDS_PER_SEARCH = 3;

export interface VectorIndexOptions {
  /** Bound of all matrices together, those under construction included. */
  maxBytes: number;
  /** Told of each row that cannot be searched (wrong dimension, not finite), when it is read. */
  onRejected?: (tenantId: string, id: string, error: Error) => void;
}

export interface VectorIndexStats {
  /** Matrices in memory: one for each tenant and model. */
  tenants: number;
  vectors: number;
  bytes: number;
  maxBytes: number;
  /** Matrices that were read from the source in full. */
  builds: number;
  /** Time of those in all, milliseconds. */
  buildMs: number;
  /** Matrices that made room for others, or outgrew the bound. */
  evictions: number;
  searches: number;
  /** Searches that read the source, since the tenant has no room in memory. */
  streamed: number;
  /** Rows read that could not be searched. */
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

/**
 * Exact search over the vectors of all tenants. A tenant's matrix is built by its first search and kept until others need the room.
 * Before each search it takes over what any process has committed (`VectorSource.changes`), so that a search sees every change that was
 * committed before it began, in whichever process; how that stays exact is told at `VectorSource`.
 */
export class VectorIndex implements VectorSearch {
  /** The least recently used first. */
  private readonly residents = new Map<string, ResidentMatrix>();
  private readonly builds = new Map<string, Promise<ResidentMatrix | undefined>>();
  private readonly underConstruction = new Set<VectorMatrix>();
  /** Tenants whose matrix alone is beyond the bound. */
  private readonly large = new Set<string>();
  private readonly closing = new AbortController();
  private readonly counters = { builds: 0, buildMs: 0, evictions: 0, searches: 0, streamed: 0, rejected: 0 };

  constructor(
    private readonly source: VectorSource,
    private readonly options: VectorIndexOptions,
  ) {}

  /**
   * The tenant's rows most like `query` (L2-normalised): best first, equal scores by id. A row that is deleted while the search is under way
   * may still be in the answer when the tenant is streamed: look the ids up, and leave out those that are gone.
   * @throws VectorDimensionError when the matrix was built for another length; VectorValueError; RangeError (limit); errors of the source
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
   * Takes over what this process has committed, which saves the next search to read it. Call it after the commit. A tenant that is not
   * in memory has nothing to take over; one that is being built reads the change by itself.
   */
  apply(tenantId: string, model: string, change: CommittedChange): void {
    const target = targetOf(tenantId, model);
    const resident = this.residents.get(target.key);
    if (!resident) return;
    resident.apply(change);
    this.settle(target, resident);
  }

  stats(): VectorIndexStats {
    let vectors = 0;
    for (const { matrix } of this.residents.values()) vectors += matrix.size;
    const { maxBytes } = this.options;
    return { tenants: this.residents.size, vectors, bytes: this.bytes(), maxBytes, ...this.counters };
  }

  /** Ends builds and streams under way, which fail with an AbortError, and lets go of all matrices. */
  close(): void {
    this.closing.abort();
    this.residents.clear();
  }

  /** The tenant's matrix with all that is committed by now; undefined when there is no room for it. */
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
    // Read before the rows: what is committed while they are read comes again with the changes after it, and wins.
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

  /** A row that cannot be compared is left out and reported: it must not keep the tenant from searching the others. */
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

  /** Evicts the least recently used matrices but `kept` until all fit; false when they do not even then. */
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

  /** After a matrix has grown: others make room for it, or it goes itself. */
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
    if (bytes <= ROOM_TO_RETURN * this.options.maxBytes) this.large.delete(key);
    return hits.sorted();
  }

  /** The source's batches, cut and spaced so that others have a turn after each few thousand rows. */
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
