export const goalStatuses = ['active', 'completed', 'cancelled'] as const;
export type GoalStatus = (typeof goalStatuses)[number];

/** Something that the participant wants to get done. */
export interface Goal {
  readonly id: string;
  readonly type: string;
  readonly status: GoalStatus;
  readonly slots: Readonly<Record<string, unknown>>;
}

/**
 * The working state of a participant of a tenant. It is deeply frozen; `SessionService.save` creates a new
 * state for each change. A session that is not stored yet has `version` 0 and `id` null.
 */
export interface SessionState {
  readonly id: string | null;
  readonly tenantId: string;
  readonly participantId: string;
  readonly version: number;
  /** In order of addition, including the most recently finished ones. */
  readonly activeGoals: readonly Goal[];
  readonly context: Readonly<Record<string, unknown>>;
  readonly conversationId: string | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** When the stored document is deleted unless the session is saved before. */
  readonly expiresAt: Date;
}

/** The members that a save replaces; omitted ones stay unchanged. */
export interface SessionChanges {
  readonly activeGoals?: readonly Goal[];
  readonly context?: Readonly<Record<string, unknown>>;
  readonly conversationId?: string | null;
}

/** Maximum size of goals and context together, bytes of JSON. */
export const MAX_STATE_BYTES = 256 * 1024;

/** Maximum number of goals in a session, including finished ones. */
export const MAX_GOALS = 100;

/** Maximum number of finished goals in a session. Older ones are dropped when it is saved. */
export const MAX_FINISHED_GOALS = 20;
