import { z } from 'zod';
import { externalName, jsonObject, nullIsAbsent } from '../http/index.js';
import { goalStatuses, MAX_GOALS, MAX_STATE_BYTES, type SessionState } from './session.types.js';

/** Used as a path by the statistics route. */
const RESERVED = 'stats';

export const participantIdParam = externalName
  .refine((name) => name !== RESERVED, { message: `"${RESERVED}" is reserved` })
  .meta({
    description:
      "The tenant's own id of the participant: up to 256 characters of any script; percent-encoded in paths",
    example: '+15550100',
  });

export const goalIdParam = externalName.max(64).meta({ description: 'Id of the goal', example: 'g1' });

export const goalType = z
  .string()
  .min(1)
  .max(200)
  .regex(/^\P{Cc}*$/u, 'must not contain control characters')
  .meta({ description: "The kind of goal, in the tenant's own terms", example: 'restaurants/book_table' });

const goalStatus = z.enum(goalStatuses);

// The size of the whole state is checked when it is stored. A patch may be larger, because nulls remove
// members.
const freeObject = jsonObject(MAX_STATE_BYTES * 4);

const slots = freeObject.meta({
  description: 'Values known so far',
  example: { city: 'Lisbon', people: 2 },
});

const goalInput = nullIsAbsent(
  z.strictObject({
    id: goalIdParam.optional().meta({ description: 'Generated if omitted' }),
    type: goalType,
    status: goalStatus.default('active'),
    slots: slots.default({}),
  }),
);

const hasDistinctIds = (goals: readonly { id?: string | undefined }[]): boolean => {
  const ids = goals.flatMap(({ id }) => id ?? []);
  return new Set(ids).size === ids.length;
};

export const patchSessionBody = z
  .strictObject({
    activeGoals: z
      .array(goalInput)
      .max(MAX_GOALS, `must contain at most ${MAX_GOALS} goals`)
      .refine(hasDistinctIds, { message: 'must not contain two goals with the same id' })
      .nullable()
      .optional()
      .meta({ description: 'Replaces all goals; null removes them' }),
    context: freeObject.nullable().optional().meta({ description: 'Merged key by key; null removes a key' }),
  })
  .meta({
    description: 'JSON merge patch (RFC 7396)',
    example: {
      activeGoals: [{ type: 'restaurants/book_table', slots: { city: 'Lisbon' } }],
      context: { locale: 'pt-PT', draft: null },
    },
  });
export type PatchSessionBody = z.output<typeof patchSessionBody>;

export const addGoalBody = nullIsAbsent(z.strictObject({ type: goalType, slots: slots.default({}) })).meta({
  example: { type: 'restaurants/book_table', slots: { city: 'Lisbon' } },
});
export type AddGoalBody = z.output<typeof addGoalBody>;

export const changeGoalBody = z
  .strictObject({
    status: goalStatus.optional(),
    slots: freeObject
      .nullable()
      .optional()
      .meta({ description: 'JSON merge patch of the slots; null removes all' }),
  })
  .meta({ example: { status: 'completed', slots: { confirmed: true } } });
export type ChangeGoalBody = z.output<typeof changeGoalBody>;

const plainObject = z.record(z.string(), z.unknown());

export const goalViewSchema = z.object({
  id: z.string(),
  type: z.string(),
  status: goalStatus,
  slots: plainObject,
});

export const sessionViewSchema = z
  .object({
    participantId: z.string(),
    version: z.int(),
    activeGoals: z.array(goalViewSchema),
    context: plainObject,
    conversationId: z.string().nullable(),
    expiresAt: z.string().meta({
      format: 'date-time',
      description: 'When the stored session is deleted unless it is updated before',
    }),
  })
  .meta({
    example: {
      participantId: '+15550100',
      version: 3,
      activeGoals: [
        { id: 'g1', type: 'restaurants/book_table', status: 'active', slots: { city: 'Lisbon' } },
      ],
      context: { locale: 'pt-PT' },
      conversationId: '6740a1b2c3d4e5f601234567',
      expiresAt: '2026-12-21T12:00:00.000Z',
    },
  });

export interface GoalView {
  id: string;
  type: string;
  status: (typeof goalStatuses)[number];
  slots: Readonly<Record<string, unknown>>;
}

export interface SessionView {
  participantId: string;
  version: number;
  activeGoals: readonly GoalView[];
  context: Readonly<Record<string, unknown>>;
  conversationId: string | null;
  /** ISO 8601, UTC. */
  expiresAt: string;
}

export const sessionView = (state: SessionState): SessionView => ({
  participantId: state.participantId,
  version: state.version,
  activeGoals: state.activeGoals,
  context: state.context,
  conversationId: state.conversationId,
  expiresAt: state.expiresAt.toISOString(),
});

const count = z.int().nonnegative();

const share = z.number().min(0).max(1);

const memoryStats = z
  .object({
    size: count,
    maxSize: count,
    bytes: count,
    maxBytes: count,
    averageAgeMs: count,
    oldestAgeMs: count,
    utilizationPercent: z.number(),
    hits: count,
    misses: count,
    evictions: count,
    expirations: count,
  })
  .meta({ description: 'Sessions in the memory of this process; bytes are estimated heap' });

const sharedStats = z
  .object({
    state: z.enum(['off', 'closed', 'open', 'half-open']).meta({
      description:
        'off: Redis is not configured; closed: Redis is in use; otherwise it is considered unavailable',
    }),
    hits: count,
    misses: count,
    hitRate: share,
    writes: count,
    stale: count.meta({ description: 'Writes rejected because a newer entry was present' }),
    dropped: count.meta({ description: 'Entries dropped because they were behind the database' }),
    errors: count,
    skipped: count.meta({ description: 'Operations skipped because Redis was unavailable or disabled' }),
    pendingDeletions: count.meta({ description: 'Deletions that Redis has not been notified of yet' }),
  })
  .meta({ description: 'Sessions in Redis, as used by this process' });

const databaseStats = z
  .object({ reads: count, inserts: count, updates: count, conflicts: count, deletes: count })
  .meta({ description: 'Sessions in the database, as used by this process' });

const openStats = z
  .object({
    total: count,
    l1: count,
    l2: count,
    database: count,
    none: count,
    hitRate: z.object({ l1: share, l2: share, l1AndL2: share, database: share }),
  })
  .meta({ description: 'The tier in which writers found their sessions; rates are relative to all opens' });

export const sessionStatsSchema = z.object({
  l1: memoryStats,
  l2: sharedStats,
  database: databaseStats,
  opens: openStats,
});
