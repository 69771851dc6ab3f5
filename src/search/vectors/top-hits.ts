export interface VectorHit {
  id: string;
  /** Cosine similarity, -1 to 1. */
  score: number;
}

/** Orders results by descending score, then by id. */
export const compareHits = (a: VectorHit, b: VectorHit): number =>
  b.score - a.score || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);

/** Keeps the best `limit` hits offered, in a heap whose root is the worst one. */
export class TopHits {
  private readonly heap: VectorHit[] = [];
  /** Hits with a lower score will not be kept. */
  floor = -Infinity;

  /** @throws RangeError if `limit` is not a positive integer */
  constructor(private readonly limit: number) {
    if (!Number.isInteger(limit) || limit < 1)
      throw new RangeError(`limit must be a positive integer, not ${limit}`);
  }

  offer(id: string, score: number): void {
    const { heap } = this;
    const hit = { id, score };
    if (heap.length < this.limit) {
      heap.push(hit);
      this.rise(heap.length - 1, hit);
    } else {
      const worst = heap[0];
      if (!worst || compareHits(hit, worst) >= 0) return;
      this.sink(hit);
    }
    if (heap.length === this.limit) this.floor = heap[0]?.score ?? -Infinity;
  }

  /** Returns the kept hits, best first. */
  sorted(): VectorHit[] {
    return [...this.heap].sort(compareHits);
  }

  private rise(from: number, hit: VectorHit): void {
    const { heap } = this;
    let at = from;
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = heap[parentAt];
      if (!parent || compareHits(parent, hit) >= 0) break;
      heap[at] = parent;
      at = parentAt;
    }
    heap[at] = hit;
  }

  /** Replaces the root with a hit. */
  private sink(hit: VectorHit): void {
    const { heap } = this;
    let at = 0;
    for (;;) {
      let childAt = 2 * at + 1;
      let child = heap[childAt];
      if (!child) break;
      const right = heap[childAt + 1];
      if (right && compareHits(right, child) > 0) {
        child = right;
        childAt++;
      }
      if (compareHits(child, hit) <= 0) break;
      heap[at] = child;
      at = childAt;
    }
    heap[at] = hit;
  }
}
