import { ProblemError } from '../../http/index.js';

export const tooManyViewers = (): ProblemError =>
  new ProblemError({
    status: 503,
    code: 'too_many_viewers',
    title: 'Too many viewers',
    detail:
      'As many look at the dashboard of this process as it serves at a time. Close a page that is not needed.',
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
