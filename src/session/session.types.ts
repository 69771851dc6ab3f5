export const goalStatuses = ['active', 'completed', 'cancelled'] as const;
export type GoalStatus = (typeof goalStatuses)[number];

/** Something that the participant wants done. */
export interface Goal {
  readonly id: string;
  readonly type: string;
  readonly status: GoalStatus;
  readonly slots: Readonly<Record<string, unknown>>;
}

/**
 * The working state of one participant of one tenant, deep-frozen: a change is a new state, made by `SessionService.save`.
 * `version` 0 with `id` null is a session that is not stored yet.
 */
export interface SessionState {
  readonly id: string | null;
  readonly tenantId: string;
  readonly participantId: string;
  readonly version: number;
  /** In order of addition, with the newest finished ones among them. */
  readonly activeGoals: readonly Goal[];
  readonly context: Readonly<Record<string, unknown>>;
  readonly conversationId: string | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** When the stored record is deleted unless the session is used before. */
  readonly expiresAt: Date;
}

/** What a save replaces; members left out stay as they are. */
export interface SessionChanges {
  readonly activeGoals?: readonly Goal[];
  readonly context?: Readonly<Record<string, unknown>>;
  readonly conversationId?: string | null;
}

/** Limit of goals and context together, bytes of JSON. */
export const MAX_STATE_BYTES = 256 * 1024;

/** Limit of goals in one session, finished ones included. */
export const MAX_GOALS = 100;

/** Finished goals that a session keeps; older ones are dropped when it is saved. */
export const MAX_FINISHED_GOALS = 20;
