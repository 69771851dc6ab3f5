export interface VectorHit {
  id: string;
  /** Cosine, from -1 to 1. */
  score: number;
}

/** The order of answers: by score, best first; equal scores by id. */
export const compareHits = (a: VectorHit, b: VectorHit): number =>
  b.score - a.score || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);

/** The best `limit` of all that is offered: a heap whose root is the worst of those kept. */
export class TopHits {
  private readonly heap: VectorHit[] = [];
  /** Whatever scores below it is not taken. */
  floor = -Infinity;

  /** @throws RangeError when `limit` is no whole number above 0 */
  constructor(private readonly limit: number) {
    if (!Number.isInteger(limit) || limit < 1)
      throw new RangeError(`limit must be a whole number above 0, not ${limit}`);
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

  /** What was kept, best first. */
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

  /** Puts a hit in the place of the root. */
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
