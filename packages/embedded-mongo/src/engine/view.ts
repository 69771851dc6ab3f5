/** All keys from `low` (inclusive) to `high` (exclusive), in ascending or descending order. */
export interface KeyRange {
  low: Uint8Array;
  high: Uint8Array;
  reverse?: boolean;
}

export interface Entry {
  key: Uint8Array;
  value: Uint8Array;
}

/**
 * A consistent view of the store: the latest commit, the current write transaction, or a transaction's
 * snapshot with its own writes. Returned bytes stay valid.
 */
export interface View {
  get(key: Uint8Array): Uint8Array | undefined;
  has(key: Uint8Array): boolean;
  keys(range: KeyRange): Iterable<Uint8Array>;
  entries(range: KeyRange): Iterable<Entry>;
}
