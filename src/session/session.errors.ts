import { notFound, ProblemError } from '../http/index.js';
import { MAX_GOALS } from './session.types.js';

/** Another writer changed the session after it was opened. Nothing was written. */
export class SessionConflictError extends ProblemError {
  constructor(participantId: string) {
    super({
      status: 409,
      code: 'session_conflict',
      title: 'The session was changed concurrently',
      detail: `On every attempt the session of "${participantId}" was changed concurrently; nothing was stored. Send the request again.`,
    });
    this.name = 'SessionConflictError';
  }
}

export const sessionNotFound = (participantId: string): ProblemError => notFound('session', participantId);

export const goalNotFound = (goalId: string): ProblemError => notFound('goal', goalId);

const mismatchDetail = (header: 'If-Match' | 'If-None-Match', version: number | null): string => {
  if (version === null) return 'If-Match was sent, but the session does not exist.';
  if (header === 'If-None-Match')
    return `If-None-Match includes the session, which exists in version ${version}. Read it, then change it with If-Match.`;
  return `If-Match does not include version ${version}, the current version of the session. Read it again, then repeat the change.`;
};

/**
 * @param header the header whose condition was not met
 * @param version null if the session does not exist
 */
export const versionMismatch = (header: 'If-Match' | 'If-None-Match', version: number | null): ProblemError =>
  new ProblemError({
    status: 412,
    code: 'version_mismatch',
    title: header === 'If-Match' ? 'The session has another version' : 'The session already exists',
    detail: mismatchDetail(header, version),
    extra: { currentVersion: version },
  });

/** @param header `If-Match` or `If-None-Match` */
export const invalidEntityTags = (header: string): ProblemError =>
  new ProblemError({
    status: 400,
    code: `invalid_${header.toLowerCase().replaceAll('-', '_')}`,
    title: `${header} is not valid`,
    detail: `Send ${header} exactly as returned in ETag, for example "3" including the quotation marks, or *.`,
  });

export const sessionTooLarge = (limit: number, unit: string, actual: number): ProblemError =>
  new ProblemError({
    status: 413,
    code: 'session_too_large',
    title: 'The session would be too large',
    detail: `Goals and context together may have at most ${limit} ${unit}; this would be ${actual}.`,
  });

export const tooManyGoals = (count: number): ProblemError =>
  new ProblemError({
    status: 400,
    code: 'too_many_goals',
    title: 'The session would have too many goals',
    detail: `A session may have at most ${MAX_GOALS} goals; this would be ${count}. Complete, cancel or replace some.`,
  });
