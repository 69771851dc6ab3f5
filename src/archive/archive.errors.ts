import { ProblemError } from '../http/index.js';

export const archiveNotReady = (id: string): ProblemError =>
  new ProblemError({
    status: 409,
    code: 'archive_not_ready',
    title: 'The archive is not complete yet',
    detail: `The archive "${id}" is still being made, or an interrupted run has not been continued. Retry it after the run has ended; POST /v1/archives/run continues an interrupted one.`,
  });
