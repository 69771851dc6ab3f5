import { ProblemError } from '../http/index.js';

/** Thrown by a processor if a retry cannot succeed. The job is not retried. */
export class UnrecoverableError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'UnrecoverableError';
  }
}

/** The attempt took longer than the queue's `timeoutMs`. */
export class JobTimeoutError extends Error {
  constructor(readonly timeoutMs: number) {
    super(`The job took longer than ${timeoutMs} ms.`);
    this.name = 'JobTimeoutError';
  }
}

/** The job was claimed by another worker; the result of this attempt is discarded. */
export class ClaimLostError extends Error {
  constructor() {
    super('The claim of the job was lost to another worker.');
    this.name = 'ClaimLostError';
  }
}

export const queueNotFound = (queue: string): ProblemError =>
  new ProblemError({
    status: 404,
    code: 'queue_not_found',
    title: 'The queue does not exist',
    detail: `There is no queue named "${queue}".`,
  });

export const jobNotDelayed = (id: string, state: string): ProblemError =>
  new ProblemError({
    status: 409,
    code: 'job_not_delayed',
    title: 'The job is not delayed',
    detail: `Only a delayed job can be promoted; job ${id} is ${state}.`,
  });

export const jobActive = (id: string): ProblemError =>
  new ProblemError({
    status: 409,
    code: 'job_active',
    title: 'The job is running',
    detail: `A worker is running job ${id}; it can be removed once the attempt has ended.`,
  });

export const jobNotFailed = (id: string, state: string): ProblemError =>
  new ProblemError({
    status: 409,
    code: 'job_not_failed',
    title: 'The job has not failed',
    detail: `Only a failed job can be retried; job ${id} is ${state}.`,
  });
