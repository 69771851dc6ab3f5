import { Injectable } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { ProblemError } from '../http/index.js';
import { mergePatch } from './merge-patch.js';
import { type Precondition, unmetBy } from './precondition.js';
import type { AddGoalBody, ChangeGoalBody, PatchSessionBody } from './session.dto.js';
import { goalNotFound, SessionConflictError, versionMismatch } from './session.errors.js';
import { SessionService } from './session.service.js';
import type { Goal, SessionChanges, SessionState } from './session.types.js';

/** Computes the changes of an edit from a state. Runs again on a newer state after a conflict. */
type Edit = (state: SessionState) => SessionChanges;

/** @throws ProblemError 412 `version_mismatch` */
function requireMatch(precondition: Precondition | undefined, state: SessionState): void {
  const header = precondition && unmetBy(precondition, state);
  if (header) throw versionMismatch(header, state.id === null ? null : state.version);
}

/** Applies session changes requested by clients. */
@Injectable()
export class SessionEditor {
  constructor(private readonly sessions: SessionService) {}

  /** Applies a merge patch. Creates the session if it does not exist. */
  patch(
    tenantId: string,
    participantId: string,
    { activeGoals, context }: PatchSessionBody,
    precondition?: Precondition,
  ): Promise<SessionState> {
    const goals = activeGoals?.map(({ id, ...goal }) => ({ id: id ?? randomUUID(), ...goal }));
    return this.edit(tenantId, participantId, precondition, (state) => ({
      ...(activeGoals !== undefined && { activeGoals: goals ?? [] }),
      ...(context !== undefined && { context: context === null ? {} : mergePatch(state.context, context) }),
    }));
  }

  /** Adds an active goal. Creates the session if it does not exist. */
  async addGoal(
    tenantId: string,
    participantId: string,
    { type, slots }: AddGoalBody,
    precondition?: Precondition,
  ): Promise<{ state: SessionState; goal: Goal }> {
    const goal: Goal = { id: randomUUID(), type, status: 'active', slots };
    const state = await this.edit(tenantId, participantId, precondition, ({ activeGoals }) => ({
      activeGoals: [...activeGoals, goal],
    }));
    return { state, goal };
  }

  /**
   * Changes the status of a goal and merges a patch into its slots.
   * @throws ProblemError 404 `goal_not_found`
   */
  async changeGoal(
    tenantId: string,
    participantId: string,
    goalId: string,
    { status, slots }: ChangeGoalBody,
    precondition?: Precondition,
  ): Promise<{ state: SessionState; goal: Goal }> {
    const state = await this.edit(tenantId, participantId, precondition, ({ activeGoals }) => {
      if (!activeGoals.some(({ id }) => id === goalId)) throw goalNotFound(goalId);
      return {
        activeGoals: activeGoals.map((goal) =>
          goal.id !== goalId
            ? goal
            : {
                ...goal,
                status: status ?? goal.status,
                slots: slots === null ? {} : mergePatch(goal.slots, slots ?? {}),
              },
        ),
      };
    });
    const goal = state.activeGoals.find(({ id }) => id === goalId);
    if (!goal) throw goalNotFound(goalId);
    return { state, goal };
  }

  private async edit(
    tenantId: string,
    participantId: string,
    precondition: Precondition | undefined,
    edit: Edit,
  ): Promise<SessionState> {
    await this.precheck(tenantId, participantId, precondition);
    return this.sessions.withRetry(tenantId, participantId, (state, { remainingMs }) =>
      this.attempt(state, edit, precondition, remainingMs),
    );
  }

  /**
   * Deletes the session.
   * @throws ProblemError 404 `session_not_found`, 412 `version_mismatch`
   */
  async delete(tenantId: string, participantId: string, precondition?: Precondition): Promise<void> {
    await this.precheck(tenantId, participantId, precondition);
    return this.sessions.delete(
      tenantId,
      participantId,
      precondition &&
        ((state) => {
          requireMatch(precondition, state);
        }),
    );
  }

  /**
   * If the state in memory does not meet the condition, memory is refreshed before this request waits for its
   * turn. The state in memory at that turn was committed or read after that, so a mismatch is then definitive
   * and does not delay the queued writers.
   */
  private async precheck(
    tenantId: string,
    participantId: string,
    precondition: Precondition | undefined,
  ): Promise<void> {
    if (precondition && unmetBy(precondition, await this.sessions.open(tenantId, participantId)))
      requireMatch(precondition, await this.sessions.reload(tenantId, participantId));
  }

  private async attempt(
    state: SessionState,
    edit: Edit,
    precondition: Precondition | undefined,
    timeoutMs?: number,
  ): Promise<SessionState> {
    requireMatch(precondition, state);
    try {
      return await this.sessions.save(state, edit(state), timeoutMs);
    } catch (error) {
      if (error instanceof SessionConflictError || !(error instanceof ProblemError)) throw error;
      // The error may be due to an outdated copy in memory. It is final only if the stored session is the
      // same version.
      const { tenantId, participantId } = state;
      const stored = await this.sessions.reload(tenantId, participantId);
      throw stored.id === state.id && stored.version === state.version
        ? error
        : new SessionConflictError(participantId);
    }
  }
}
