/** The attributes by which searches can be filtered. */
export interface VectorAttributes {
  channel: string;
  participantId: string;
  /** Time of the transcript, milliseconds since 1970. */
  at: number;
}

export interface VectorRow extends VectorAttributes {
  /** ObjectId as 24 hex digits. The id of a deleted row is never reused. */
  id: string;
  /** L2-normalized, so that a dot product is the cosine. All zeros for a text without content. */
  vector: Float32Array;
}

/** The number of a tenant's latest change that has been seen; 0 before the first. */
export type ChangeCursor = number;

/** Everything that one transaction changed. */
export interface CommittedChange {
  /** The number that the transaction took from the tenant's counter. */
  seq: ChangeCursor;
  rows: readonly VectorRow[];
  deletedIds: readonly string[];
}

export interface VectorChanges {
  /** The inserted or changed rows in their current state. */
  rows: readonly VectorRow[];
  /**
   * Rows that were deleted, or whose vector now belongs to another model. They take precedence over `rows`.
   */
  deletedIds: readonly string[];
  /** All changes up to this number are included. */
  cursor: ChangeCursor;
  /** True if there are more changes; call again with `cursor`. */
  hasMore: boolean;
}

/**
 * The persistent storage of vectors. All reads go to the primary, with a read concern that shows acknowledged
 * commits. Reads on a lagging secondary would give one process older results than another.
 *
 * **How a process detects the changes of others.** Each tenant has a counter row `{tenantId, seq,
 * forgottenSeq}`. A transaction that inserts, re-embeds or deletes transcripts increments `seq` by 1, once
 * and as its first write. It stamps its rows with the new number (`changeSeq`) and writes a tombstone
 * `{tenantId, transcriptId, changeSeq}` for each deletion. The counter row stays write-locked until the
 * commit, so the changes of a tenant become visible in the order of their numbers and without gaps (an abort
 * rolls its number back): a process that has seen number n has seen all before it. No clock is involved, and
 * a single read of the counter shows that nothing has changed.
 *
 * The alternative is to re-read an overlap of N seconds by `updatedAt`. It would not serialize writers, but
 * it is exact only if no transaction lasts longer than N minus the skew of all clocks, and each search would
 * read N seconds of vectors (1 KB each), most of all during an import.
 *
 * The cost of the counter: writing transactions of **one tenant** run one at a time; those of different
 * tenants do not conflict. A transaction that finds the counter locked is aborted with WriteConflict (112)
 * and retried, so writers of one tenant within a process should queue (with a keyed serializer) before they
 * begin; then only other processes conflict. A whole batch uses one number, so embed before the transaction
 * begins and write many rows in it: at 5 ms for a transaction of 10 rows, one tenant can store 2,000 rows per
 * second; with 100 rows, ten times as many. Enqueueing does not use the counter.
 *
 * Indexes that the queries require:
 * - counter: unique `{tenantId}`;
 * - transcripts: `{tenantId, changeSeq}` for `changes` (without the model: a row whose model changed must be
 *   reported as deleted to the matrix of its old model), `{tenantId, model, _id}` for `vectors`, both partial
 *   on rows that have a vector;
 * - tombstones: `{tenantId, changeSeq}`. Old tombstones are deleted by a sweep that in the same transaction
 *   raises `forgottenSeq` to the highest number it removed. A cursor below it can no longer be served. A TTL
 *   index would not update `forgottenSeq`.
 */
export interface VectorSource {
  /** Returns the tenant's latest committed change, or 0 if there is none. */
  head(tenantId: string, signal: AbortSignal): Promise<ChangeCursor>;

  /**
   * Returns every row of the tenant that has a vector of this model, in batches, each id at most once (for
   * example ordered by `_id`). It need not be a snapshot: a row committed or deleted meanwhile may or may not
   * be included; a row committed before is included.
   */
  vectors(tenantId: string, model: string, signal: AbortSignal): AsyncIterable<readonly VectorRow[]>;

  /**
   * Returns the changes after `after`, or undefined if they are no longer available: tombstones were deleted,
   * the tenant was erased, or the counter is behind `after` because a backup was restored. The caller then
   * rebuilds its matrix.
   *
   * Counter, rows and tombstones are read from one majority-committed snapshot: rows and tombstones with
   * `after < changeSeq <= cursor`, where `cursor` is the counter or, for a page, `after + 100`.
   */
  changes(
    tenantId: string,
    model: string,
    after: ChangeCursor,
    signal: AbortSignal,
  ): Promise<VectorChanges | undefined>;
}
