import type { VectorMatrix } from './vector-matrix.js';
import type { ChangeCursor, CommittedChange, VectorChanges, VectorRow } from './vector-source.js';

type Changes = Pick<VectorChanges, 'rows' | 'deletedIds'>;

/** A matrix in memory, with the number of the latest change that it includes. */
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
   * Applies a change made by this process, if it is the next one in sequence. Otherwise `catchUp` handles it:
   * applying an earlier change could restore a row deleted since, and applying a later one would skip those
   * in between.
   */
  apply(change: CommittedChange): void {
    if (change.seq !== this.cursor + 1) return;
    this.write(change);
    this.cursor = change.seq;
  }

  /** Applies everything that was committed before the call. Returns false if the matrix must be rebuilt. */
  catchUp(): Promise<boolean> {
    if (!this.running) {
      this.running = this.run().finally(() => {
        this.running = undefined;
      });
      return this.running;
    }
    // The run in progress may have read the changes before this call. All callers that arrive meanwhile share
    // the next run.
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
      // In the meantime, `apply` may have advanced beyond what was read.
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
