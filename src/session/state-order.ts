/** Which session and which version of it; what all tiers compare. */
export interface StateIdentity {
  readonly id: string;
  readonly version: number;
  readonly createdAt: Date;
}

/**
 * True when `state` is behind `other`: an older version of the same session, or a session that was made before it. Versions begin
 * at 1 again when a session is deleted and created again, so they say nothing across ids.
 */
export function isBehind(state: StateIdentity, other: StateIdentity): boolean {
  if (state.id === other.id) return state.version < other.version;
  const difference = state.createdAt.getTime() - other.createdAt.getTime();
  return difference < 0 || (difference === 0 && state.id < other.id);
}
