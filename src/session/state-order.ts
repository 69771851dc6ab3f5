/** Identifies a session and its version. All tiers compare states by it. */
export interface StateIdentity {
  readonly id: string;
  readonly version: number;
  readonly createdAt: Date;
}

/**
 * True if `state` is older than `other`: an older version of the same session, or a session created before
 * it. Versions restart at 1 when a session is deleted and created again, so versions of different ids are not
 * comparable.
 */
export function isBehind(state: StateIdentity, other: StateIdentity): boolean {
  if (state.id === other.id) return state.version < other.version;
  const difference = state.createdAt.getTime() - other.createdAt.getTime();
  return difference < 0 || (difference === 0 && state.id < other.id);
}
