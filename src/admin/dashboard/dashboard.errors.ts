import { ProblemError } from '../../http/index.js';

export const tooManyViewers = (): ProblemError =>
  new ProblemError({
    status: 503,
    code: 'too_many_viewers',
    title: 'Too many viewers',
    detail:
      'The dashboard of this process has reached its maximum number of viewers. Close a dashboard page that is not needed.',
    retryAfterSeconds: 10,
  });

export const dashboardClosing = (): ProblemError =>
  new ProblemError({
    status: 503,
    code: 'shutting_down',
    title: 'Shutting down',
    detail: 'This process is shutting down.',
    retryAfterSeconds: 5,
  });
