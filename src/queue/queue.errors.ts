import { ProblemError } from '../http/index.js';

/** Thrown by a processor: another try would fail as well, so there is none. */
export class UnrecoverableError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'UnrecoverableError';
  }
}

/** A try took longer than the queue allows. */
export class JobTimeoutError extends Error {
  constructor(readonly timeoutMs: number) {
    super(`The job took longer than ${timeoutMs} ms.`);
    this.name = 'JobTimeoutError';
  }
}

/** The claim of a job went to another worker; what this one found out counts for nothing. */
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
    title: 'There is no such queue',
    detail: `No queue is named "${queue}".`,
  });

export const jobNotDelayed = (id: string, state: string): ProblemError =>
  new ProblemError({
    status: 409,
    code: 'job_not_delayed',
    title: 'The job is not delayed',
    detail: `Only a delayed job can be brought forward; job ${id} is ${state}.`,
  });

export const jobActive = (id: string): ProblemError =>
  new ProblemError({
    status: 409,
    code: 'job_active',
    title: 'The job is at work',
    detail: `A worker has job ${id}; it can be removed when the try has ended.`,
  });

export const jobNotFailed = (id: string, state: string): ProblemError =>
  new ProblemError({
    status: 409,
    code: 'job_not_failed',
    title: 'The job has not failed',
    detail: `Only a failed job can be tried again; job ${id} is ${state}.`,
  });
