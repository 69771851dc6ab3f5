import { z } from 'zod';
import { objectIdString } from '../http/index.js';
import { type JobRecord, jobStates } from './job.schema.js';

export const queueNameParam = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,63}$/, 'must be the name of a queue')
  .meta({ description: 'Name of the queue', example: 'transcript-embed' });
export const jobIdParam = objectIdString.meta({
  description: 'Id of the job',
  example: '66f0c1e9a7b3d2468a1b2c3d',
});

const instant = z.string().meta({ format: 'date-time', example: '2026-11-21T12:00:00.000Z' });

export const jobViewSchema = z.object({
  id: jobIdParam,
  queue: queueNameParam,
  state: z.enum(jobStates),
  progress: z.int().min(0).max(100),
  attempts: z.int().meta({ description: 'Number of attempts started' }),
  result: z.unknown().meta({ description: 'Result of the job; null until it is completed' }),
  error: z
    .object({ message: z.string(), attempt: z.int(), at: instant })
    .nullable()
    .meta({ description: 'The error of the last failed attempt' }),
  dueAt: instant.nullable().meta({ description: 'When a delayed job becomes due' }),
  createdAt: instant,
  finishedAt: instant.nullable(),
});
export type JobView = z.output<typeof jobViewSchema>;

export function jobView(job: JobRecord): JobView {
  const { _id, queue, state, progress, attempts, result, failures, dueAt, createdAt } = job;
  const last = failures.at(-1);
  const isFinished = state === 'completed' || state === 'failed';
  return {
    id: _id.toHexString(),
    queue,
    state,
    progress,
    attempts,
    result: result ?? null,
    error: last && state !== 'completed' ? { ...last, at: last.at.toISOString() } : null,
    dueAt: state === 'delayed' ? dueAt.toISOString() : null,
    createdAt: createdAt.toISOString(),
    finishedAt: isFinished ? dueAt.toISOString() : null,
  };
}
