import { shortened } from '../common/index.js';

/**
 * One field of a request that was rejected: `path` in dotted form, and a `message` that says what is
 * accepted.
 */
export interface FieldProblem {
  path: string;
  message: string;
}

export interface ProblemDetails {
  /** HTTP status, 400-599. */
  status: number;
  /** Stable, machine-readable, snake_case. Clients branch on it. */
  code: string;
  title: string;
  /** A human-readable description of what happened and what to do. */
  detail?: string;
  /** Number of seconds to wait before a retry, sent as `Retry-After`. */
  retryAfterSeconds?: number;
  /** Additional members of the problem document. */
  extra?: Record<string, unknown>;
}

/**
 * An error that is sent to the client as an RFC 9457 problem document. Modules define theirs in
 * `<name>.errors.ts`.
 */
export class ProblemError extends Error {
  readonly problem: ProblemDetails;

  constructor(problem: ProblemDetails, options?: ErrorOptions) {
    super(problem.detail ?? problem.title, options);
    this.name = 'ProblemError';
    this.problem = problem;
  }
}

export const notFound = (what: string, id?: string): ProblemError =>
  new ProblemError({
    status: 404,
    code: `${what.replaceAll(' ', '_')}_not_found`,
    title: 'Not found',
    detail: id === undefined ? `There is no such ${what}.` : `There is no ${what} "${id}".`,
  });

/** Rejected fields that a problem lists. */
const MAX_ERRORS = 20;
const MAX_ERROR_LENGTH = 200;

/** The first MAX_ERRORS errors: a response must not repeat a large body that it rejects. */
function boundedErrors(errors: readonly FieldProblem[]): FieldProblem[] {
  const shown = errors.slice(0, MAX_ERRORS).map(({ path, message }) => ({
    path: shortened(path, MAX_ERROR_LENGTH),
    message: shortened(message, MAX_ERROR_LENGTH),
  }));
  const more = errors.length - shown.length;
  return more > 0 ? [...shown, { path: '', message: `and ${more} more` }] : shown;
}

export function validationFailed(errors: readonly FieldProblem[]): ProblemError {
  const shown = boundedErrors(errors);
  return new ProblemError({
    status: 400,
    code: 'validation_failed',
    title: 'The request is not valid',
    detail: shown.map(({ path, message }) => (path ? `${path}: ${message}` : message)).join('; '),
    extra: { errors: shown },
  });
}
