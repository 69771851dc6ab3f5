import { setImmediate as nextTurn } from 'node:timers/promises';
import { dotProduct, isFiniteVector } from './dot-product.js';
import { Interner } from './interner.js';
import { TopHits, type VectorHit } from './top-hits.js';
import type { VectorQuery } from './vector-filter.js';
import type { VectorAttributes } from './vector-source.js';
import { VectorDimensionError, VectorValueError } from './vector.errors.js';

const BLOCK_SHIFT = 12;
const BLOCK_ROWS = 1 << BLOCK_SHIFT;
const FIRST_ROWS = 16;
/**
 * Blocks scanned by a search before it yields to the event loop: about two milliseconds at 256 dimensions.
 */
const SLICE_BLOCKS = 2;

// Ids are kept as strings, shared by the list and the map. Storing twelve bytes in a typed array would save a
// third of this memory but require a custom hash table; compared with 1,024 bytes for 256 dimensions, that is
// 3 %. Estimate: a string of 24 Latin characters takes 40 bytes, a slot of the list with spare capacity 10,
// and an entry of the map, in a table between half and completely full, 42. The benchmark prints the measured
// heap for comparison.
const BYTES_PER_ID = 92;

interface Block {
  vectors: Float32Array;
  /** Interned; 0 if there is no row. */
  channels: Uint32Array;
  participants: Uint32Array;
  times: Float64Array;
}

const newBlock = (rows: number, dimension: number): Block => ({
  vectors: new Float32Array(rows * dimension),
  channels: new Uint32Array(rows),
  participants: new Uint32Array(rows),
  times: new Float64Array(rows),
});

const bytesPerRow = (dimension: number): number => 4 * dimension + 4 + 4 + 8;

/**
 * The vectors of one tenant and model, searched exactly. Rows are stored in blocks of 4,096 (the first block
 * grows by doubling up to that size) rather than one array: growing copies at most one block, and at most one
 * block is allocated in advance.
 */
export class VectorMatrix {
  private readonly blocks: Block[] = [];
  private readonly ids: string[] = [];
  private readonly rows = new Map<string, number>();
  private readonly channels = new Interner();
  private readonly participants = new Interner();
  /**
   * Rows deleted during a search. They are filled only after it, so that the search does not find another row
   * in their place.
   */
  private holes: number[] = [];
  private scans = 0;
  private arrayBytes = 0;

  /** @throws RangeError if `dimension` is not a positive integer */
  constructor(readonly dimension: number) {
    if (!Number.isInteger(dimension) || dimension < 1)
      throw new RangeError(`dimension must be a positive integer, not ${dimension}`);
  }

  /** Minimum memory for this many vectors, bytes. */
  static bytesFor(rows: number, dimension: number): number {
    return rows * (bytesPerRow(dimension) + BYTES_PER_ID);
  }

  /** Number of vectors. */
  get size(): number {
    return this.rows.size;
  }

  /** Allocated bytes of the typed arrays, plus an estimate for ids, map and names. */
  get bytes(): number {
    const named = this.ids.length * BYTES_PER_ID + this.channels.bytes + this.participants.bytes;
    return this.arrayBytes + named;
  }

  has(id: string): boolean {
    return this.rows.has(id);
  }

  /**
   * Inserts or replaces a row. The vector is copied. It must be L2-normalized, which is not checked.
   * @throws VectorDimensionError, VectorValueError; the matrix is unchanged then
   */
  upsert(id: string, vector: Float32Array, attributes: VectorAttributes): void {
    this.check(`The vector of ${id}`, vector);
    if (!Number.isFinite(attributes.at)) throw new VectorValueError(`The time of ${id}`);
    const known = this.rows.get(id);
    const row = known ?? this.holes.pop() ?? this.append();
    const block = this.block(row);
    const slot = row % BLOCK_ROWS;
    const channel = this.channels.take(attributes.channel);
    const participant = this.participants.take(attributes.participantId);
    if (known !== undefined) this.release(block, slot);
    block.vectors.set(vector, slot * this.dimension);
    block.channels[slot] = channel;
    block.participants[slot] = participant;
    block.times[slot] = attributes.at;
    if (known !== undefined) return;
    this.ids[row] = id;
    this.rows.set(id, row);
  }

  /**
   * Deletes a row. Returns false if it does not exist. The last row moves into its place, so that rows have
   * no gaps.
   */
  delete(id: string): boolean {
    const row = this.rows.get(id);
    if (row === undefined) return false;
    const block = this.block(row);
    this.rows.delete(id);
    this.release(block, row % BLOCK_ROWS);
    block.channels[row % BLOCK_ROWS] = 0;
    this.ids[row] = '';
    this.holes.push(row);
    if (this.scans === 0) this.fillHoles();
    return true;
  }

  /**
   * Returns the rows most similar to `query` that match the filter: by cosine, best first, equal scores by
   * id.
   * @throws VectorDimensionError, VectorValueError, RangeError (limit)
   */
  search(query: Float32Array, options: VectorQuery): VectorHit[] {
    const scan = this.scan(query, options);
    for (;;) {
      const step = scan.next();
      if (step.done) return step.value;
    }
  }

  /**
   * Like `search`, but yields to the event loop every 8,192 rows. Rows may be inserted and deleted meanwhile.
   * A row that is inserted or changed during the search may or may not be found, an unchanged row is found
   * exactly once, and a deleted row is not returned (the result may then have fewer than `limit` hits).
   */
  async searchInTurns(query: Float32Array, options: VectorQuery, signal?: AbortSignal): Promise<VectorHit[]> {
    const scan = this.scan(query, options);
    try {
      for (;;) {
        signal?.throwIfAborted();
        const step = scan.next();
        if (step.done) return step.value;
        await nextTurn();
      }
    } finally {
      scan.return([]);
    }
  }

  private *scan(query: Float32Array, options: VectorQuery): Generator<void, VectorHit[]> {
    this.check('The query', query);
    const hits = new TopHits(options.limit);
    const rows = this.ids.length;
    this.scans++;
    try {
      for (let first = 0; first < rows; first += BLOCK_ROWS) {
        if (first > 0 && first % (SLICE_BLOCKS * BLOCK_ROWS) === 0) yield;
        this.scanBlock(first, Math.min(BLOCK_ROWS, rows - first), query, options, hits);
      }
    } finally {
      if (--this.scans === 0) this.fillHoles();
    }
    // A row may have been deleted since it was scanned, or deleted and inserted again at another position.
    const seen = new Set<string>();
    return hits.sorted().filter(({ id }) => this.rows.has(id) && !seen.has(id) && seen.add(id));
  }

  private scanBlock(
    first: number,
    rows: number,
    query: Float32Array,
    options: VectorQuery,
    hits: TopHits,
  ): void {
    const { vectors, channels, participants, times } = this.block(first);
    const { dimension, ids } = this;
    // Looked up for each block, because numbers may be reassigned to other names between two yields.
    const channel = options.channel === undefined ? 0 : this.channels.code(options.channel);
    const participant =
      options.participantId === undefined ? 0 : this.participants.code(options.participantId);
    if (channel === 0 && options.channel !== undefined) return;
    if (participant === 0 && options.participantId !== undefined) return;
    const since = options.since ?? -Infinity;
    const until = options.until ?? Infinity;
    for (let slot = 0; slot < rows; slot++) {
      const code = channels[slot];
      if (code === 0 || (channel !== 0 && code !== channel)) continue;
      if (participant !== 0 && participants[slot] !== participant) continue;
      const at = times[slot] ?? NaN;
      if (!(at >= since && at < until)) continue;
      const score = dotProduct(query, vectors, slot * dimension);
      if (score >= hits.floor) hits.offer(ids[first + slot] ?? '', score);
    }
  }

  private check(what: string, vector: Float32Array): void {
    if (vector.length !== this.dimension) throw new VectorDimensionError(what, vector.length, this.dimension);
    if (!isFiniteVector(vector)) throw new VectorValueError(what);
  }

  private block(row: number): Block {
    const block = this.blocks[row >> BLOCK_SHIFT];
    if (!block) throw new Error(`There is no row ${row}`);
    return block;
  }

  private release(block: Block, slot: number): void {
    this.channels.release(block.channels[slot] ?? 0);
    this.participants.release(block.participants[slot] ?? 0);
  }

  /** Adds a row at the end. */
  private append(): number {
    const row = this.ids.length;
    const at = row >> BLOCK_SHIFT;
    const last = this.blocks[at];
    const capacity = last?.channels.length ?? 0;
    if (row % BLOCK_ROWS >= capacity) {
      const rows = at > 0 ? BLOCK_ROWS : Math.max(FIRST_ROWS, 2 * capacity);
      this.resize(at, rows);
    }
    this.ids.push('');
    return row;
  }

  private resize(at: number, rows: number): void {
    const old = this.blocks[at];
    const block = newBlock(rows, this.dimension);
    if (old) {
      const kept = Math.min(rows, old.channels.length);
      block.vectors.set(old.vectors.subarray(0, kept * this.dimension));
      block.channels.set(old.channels.subarray(0, kept));
      block.participants.set(old.participants.subarray(0, kept));
      block.times.set(old.times.subarray(0, kept));
    }
    this.blocks[at] = block;
    const more = rows - (old?.channels.length ?? 0);
    this.arrayBytes += more * bytesPerRow(this.dimension);
  }

  /** Moves the last rows into the holes, and releases blocks that are then empty. */
  private fillHoles(): void {
    if (this.holes.length === 0) return;
    // In descending order, so that the last row is either this hole or a row to keep.
    for (const hole of this.holes.sort((a, b) => b - a)) {
      const last = this.ids.length - 1;
      if (hole !== last) this.move(last, hole);
      this.ids.pop();
    }
    this.holes = [];
    this.shrink();
  }

  private move(from: number, to: number): void {
    const source = this.block(from);
    const target = this.block(to);
    const slot = from % BLOCK_ROWS;
    const into = to % BLOCK_ROWS;
    const start = slot * this.dimension;
    target.vectors.set(source.vectors.subarray(start, start + this.dimension), into * this.dimension);
    target.channels[into] = source.channels[slot] ?? 0;
    target.participants[into] = source.participants[slot] ?? 0;
    target.times[into] = source.times[slot] ?? NaN;
    const id = this.ids[from] ?? '';
    this.ids[to] = id;
    this.rows.set(id, to);
  }

  /**
   * Keeps one empty block, so that inserting and deleting at a block boundary does not allocate each time.
   */
  private shrink(): void {
    const needed = Math.ceil(this.ids.length / BLOCK_ROWS) + 1;
    for (const block of this.blocks.splice(needed))
      this.arrayBytes -= block.channels.length * bytesPerRow(this.dimension);
  }
}
