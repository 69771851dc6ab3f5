/**
 * Of the time that a shutdown has (SHUTDOWN_GRACE_MS), what each module that finishes work may take. Nest ends one module after another,
 * each waiting for the one before, so together they must leave some: for requests in flight, which end first, and for the database.
 */
export const SHUTDOWN_SHARES = {
  /** Jobs at work. What is left is handed back. */
  jobs: 0.5,
  /** Batches of transcripts at work. What is left is handed back. */
  transcripts: 0.3,
  /** Writes that were accepted. What is left is refused. */
  writes: 0.05,
  /** Alerts that wait to be posted. What is left is logged. */
  alerts: 0.04,
} as const;
