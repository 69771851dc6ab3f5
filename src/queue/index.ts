export { type Job, type JobProcessor, ProcessorOf } from './processor.decorator.js';
export {
  defineQueue,
  type QueueDeclaration,
  type QueueDefinition,
  type QueueOptions,
  type RateLimit,
} from './queue-definition.js';
export { jobView } from './job.dto.js';
export type { JobRecord, JobState } from './job.schema.js';
export { UnrecoverableError } from './queue.errors.js';
export type { QueueFigures } from './queue-monitoring.js';
export { QueueModule } from './queue.module.js';
export { type EnqueueOptions, type MentioningJob, QueueService, type QueueStatus } from './queue.service.js';
export { QueueWorkers } from './queue-workers.js';
