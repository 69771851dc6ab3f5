import { z } from 'zod';
import { pageLimit } from '../http/index.js';
import { jobView, type JobView, jobViewSchema, queueNameParam } from './job.dto.js';
import { type JobRecord, jobStates } from './job.schema.js';

const count = z.int().min(0);

export const queueStatusSchema = z.object({
  name: queueNameParam,
  counts: z.object({ waiting: count, delayed: count, active: count, completed: count, failed: count }),
  oldestWaitingMs: count
    .nullable()
    .meta({ description: 'How long the oldest waiting job has been waiting; null if none is waiting' }),
});
export const queueListSchema = z.object({ data: z.array(queueStatusSchema) });

export const queueJobsQuery = z.object({
  state: z.enum(jobStates).default('failed'),
  limit: pageLimit,
  cursor: z.string().max(128).optional(),
});
export type QueueJobsQuery = z.output<typeof queueJobsQuery>;

export const operatorJobViewSchema = jobViewSchema.extend({ tenantId: z.string() });
export type OperatorJobView = JobView & { tenantId: string };

/** The tenant's view of a job, plus the tenant's id. */
export const operatorJobView = (job: JobRecord): OperatorJobView => ({
  ...jobView(job),
  tenantId: job.tenantId,
});

export const queueJobsPageSchema = z.object({
  data: z.array(operatorJobViewSchema),
  nextCursor: z.string().nullable(),
});
