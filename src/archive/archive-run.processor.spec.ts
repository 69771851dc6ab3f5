import { notFound } from '../http/index.js';
import { type Job, UnrecoverableError } from '../queue/index.js';
import type { RunRequestBody } from './archive.queue.js';
import { ArchiveRunProcessor } from './archive-run.processor.js';
import type { ArchiveRunService } from './archive-run.service.js';

const failure = (error: Error): Promise<unknown> => {
  const runs = { run: () => Promise.reject(error) } as unknown as ArchiveRunService;
  const job = { payload: { tenantId: 'acme', dryRun: false } } as unknown as Job<RunRequestBody>;
  return new ArchiveRunProcessor(runs).process(job).catch((caught: unknown) => caught);
};

it('does not retry a run for a tenant that was deleted in the meantime', async () => {
  expect(await failure(notFound('tenant', 'acme'))).toBeInstanceOf(UnrecoverableError);
});

it('leaves other errors to be retried', async () => {
  const error = new Error('no connection');
  expect(await failure(error)).toBe(error);
});
