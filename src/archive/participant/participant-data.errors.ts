import { ProblemError } from '../../http/index.js';

export const erasureUnfinished = (cause?: unknown): ProblemError =>
  new ProblemError(
    {
      status: 503,
      code: 'erasure_unfinished',
      title: 'The erasure is not finished yet',
      detail:
        'New data of the participant kept arriving, archives are being written or restored, the service is shutting ' +
        'down, or some data could not be read; then its log says more. The erasure continues in the background; ' +
        'repeat the request to get the receipt.',
      retryAfterSeconds: 5,
    },
    { cause },
  );

export const tooManyExports = (limit: number): ProblemError =>
  new ProblemError({
    status: 429,
    code: 'too_many_exports',
    title: 'Too many exports are in progress',
    detail: `A tenant may download ${limit} exports at the same time. Read them to the end, or close them.`,
    retryAfterSeconds: 10,
  });

export const exportsBusy = (): ProblemError =>
  new ProblemError({
    status: 503,
    code: 'exports_busy',
    title: 'Too many exports are in progress',
    detail: 'This process sends as many exports as it may. Retry later.',
    retryAfterSeconds: 10,
  });
