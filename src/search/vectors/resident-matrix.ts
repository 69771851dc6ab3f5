import type { VectorMatrix } from './vector-matrix.js';
import type { ChangeCursor, CommittedChange, VectorChanges, VectorRow } from './vector-source.js';

type Changes = Pick<VectorChanges, 'rows' | 'deletedIds'>;

/** A matrix with the newest change that it has seen. */
export class ResidentMatrix {
  private running: Promise<boolean> | undefined;
  private queued: Promise<boolean> | undefined;

  constructor(
    readonly matrix: VectorMatrix,
    private cursor: ChangeCursor,
    private readonly fetch: (after: ChangeCursor) => Promise<VectorChanges | undefined>,
    private readonly put: (matrix: VectorMatrix, row: VectorRow) => void,
  ) {}

  /**
   * Takes over a change of this process, if it is the one next to come. One that was seen already could bring back what a later one
   * deleted; one that is ahead would hide those before it. Both are left to `catchUp`.
   */
  apply(change: CommittedChange): void {
    if (change.seq !== this.cursor + 1) return;
    this.write(change);
    this.cursor = change.seq;
  }

  /** Takes over everything that was committed before the call. False when the matrix has to be rebuilt. */
  catchUp(): Promise<boolean> {
    if (!this.running) {
      this.running = this.run().finally(() => {
        this.running = undefined;
      });
      return this.running;
    }
    // The one under way may have asked before the caller's moment. All who come meanwhile share the next.
    const next = (): Promise<boolean> => {
      this.queued = undefined;
      return this.catchUp();
    };
    this.queued ??= this.running.then(next, next);
    return this.queued;
  }

  private async run(): Promise<boolean> {
    for (;;) {
      const changes = await this.fetch(this.cursor);
      if (!changes) return false;
      // Meanwhile `apply` may have gone further than what was read.
      if (changes.cursor > this.cursor) {
        this.write(changes);
        this.cursor = changes.cursor;
      }
      if (!changes.hasMore) return true;
    }
  }

  private write({ rows, deletedIds }: Changes): void {
    for (const row of rows) this.put(this.matrix, row);
    for (const id of deletedIds) this.matrix.delete(id);
  }
}
