export interface JournalStats {
  appends: number;
  appendedBytes: number;
  /** fdatasync calls that appends waited for. */
  syncs: number;
  /** Appends that shared one sync. */
  groupMean: number;
  groupMax: number;
  /** Write and sync of one group, milliseconds, of the last 1,024. */
  syncMs: { p50: number; p99: number };
  /** Groups that could not be written. */
  failures: number;
  /** Appends are refused at the moment. */
  failing: boolean;
  segments: number;
  segmentBytes: number;
  /** Files at full length that wait to be the next segment. */
  readySegments: number;
  waiting: { count: number; bytes: number };
  oldestMs: number;
  bufferedBytes: number;
  /** Folders of ended processes taken over. */
  adopted: number;
  /** Records found in them. */
  replayed: number;
  /** Segments with stretches that could not be read. */
  damaged: number;
  /** Bytes at the end of last segments that were no whole record: writes that a crash cut off. */
  tornBytes: number;
}

/** Value below which the share `p` of `sorted` lies; 0 when it is empty. */
export const percentile = (sorted: readonly number[], p: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? 0;
