/**
 * Shares of the shutdown time (SHUTDOWN_GRACE_MS) that modules with unfinished work may use. Nest shuts
 * modules down one after the other, so the shares add up and must leave time for requests in progress, which
 * finish first, and for closing the database.
 */
export const SHUTDOWN_SHARES = {
  /** Jobs in progress. Jobs that are not finished return to their queue. */
  jobs: 0.5,
  /** Transcript batches in progress. Transcripts that are not finished return to the backlog. */
  transcripts: 0.3,
  /** Accepted writes. Writes that are still waiting are rejected. */
  writes: 0.05,
  /** Alerts waiting to be posted. Alerts that are not posted are logged. */
  alerts: 0.04,
} as const;
