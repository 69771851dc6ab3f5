/** What searches may be narrowed by. */
export interface VectorAttributes {
  channel: string;
  participantId: string;
  /** Time of the transcript, milliseconds since 1970. */
  at: number;
}

export interface VectorRow extends VectorAttributes {
  /** ObjectId as 24 hex digits. An id that was deleted is never given to another row. */
  id: string;
  /** L2-normalised, so that a dot product is the cosine. All zeros stands for a text without content. */
  vector: Float32Array;
}

/** The number of a tenant's newest change that was seen; 0 before the first. */
export type ChangeCursor = number;

/** All that one transaction changed. */
export interface CommittedChange {
  /** The number that the transaction took from the tenant's counter. */
  seq: ChangeCursor;
  rows: readonly VectorRow[];
  deletedIds: readonly string[];
}

export interface VectorChanges {
  /** The rows that were inserted or changed, as they are now. */
  rows: readonly VectorRow[];
  /** Rows that were deleted, or whose vector is now one of another model. They win over `rows`. */
  deletedIds: readonly string[];
  /** Every change up to this one is told of. */
  cursor: ChangeCursor;
  /** There are more: ask again after `cursor`. */
  hasMore: boolean;
}

/**
 * Where the vectors are kept for good. All reads go to the primary, with read concern that shows acknowledged commits; a read on a
 * lagging secondary would give one process older answers than another.
 *
 * **How a process learns of the changes of others.** Each tenant has a counter row `{tenantId, seq, forgottenSeq}`. A transaction that
 * inserts, re-embeds or deletes transcripts increments `seq` by 1, once and as its first write, stamps its rows with the new number
 * (`changeSeq`) and leaves a tombstone `{tenantId, transcriptId, changeSeq}` for each deletion. The counter row stays write-locked until
 * the commit, so that of one tenant the changes become visible in the order of their numbers and without gaps (an abort takes its
 * number back): who has seen number n has seen all before it. No clock is involved, and one read of the counter tells a process
 * that nothing changed.
 *
 * The alternative, to re-read an overlap of N seconds by `updatedAt`, serialises nobody, but is exact only while no transaction lasts longer
 * than N less the skew of all clocks, and reads N seconds of vectors (1 KB each) in each search, most of all during an import.
 *
 * What the counter costs: the writing transactions of **one tenant** run one at a time; those of different tenants do not meet. A
 * transaction that finds the counter taken is aborted with WriteConflict (112) and retried, so writers of one tenant in one process should
 * queue up (a keyed serializer) before they begin: then only other processes collide. One number is for a whole batch,
 * therefore embed before the transaction begins, and write many rows in it: at 5 ms for a transaction of 10 rows one tenant can
 * store 2,000 rows a second, of 100 rows ten times as many. Enqueueing does not touch the counter.
 *
 * Indexes that the queries need:
 * - counter: unique `{tenantId}`;
 * - transcripts: `{tenantId, changeSeq}` for `changes` (without the model: a row that went over to another model must be told of as
 *   deleted to the matrix of its old one), `{tenantId, model, _id}` for `vectors`, both partial on rows that have a vector;
 * - tombstones: `{tenantId, changeSeq}`. Old ones are deleted by a sweep that in the same transaction raises `forgottenSeq` to the highest
 *   number it removed (not by a TTL index, which would forget without telling); a cursor below it cannot be served any more.
 */
export interface VectorSource {
  /** The tenant's newest committed change, 0 when there was none. */
  head(tenantId: string, signal: AbortSignal): Promise<ChangeCursor>;

  /**
   * Every row of the tenant that has a vector of this model, in batches, each id at most once (in the order of `_id`, say). It need not be
   * of one moment: a row that is committed or deleted meanwhile may be in it or not, one that was committed before is.
   */
  vectors(tenantId: string, model: string, signal: AbortSignal): AsyncIterable<readonly VectorRow[]>;

  /**
   * What changed after `after`, or undefined when that cannot be told any more (tombstones are forgotten, the tenant was erased, the counter is
   * behind `after` since a backup was restored): the caller rebuilds.
   *
   * Counter, rows and tombstones are read from one snapshot of what a majority of the servers has: rows and tombstones with
   * `after < changeSeq <= cursor`, where `cursor` is the counter or, for a page, `after + 100`.
   */
  changes(
    tenantId: string,
    model: string,
    after: ChangeCursor,
    signal: AbortSignal,
  ): Promise<VectorChanges | undefined>;
}
