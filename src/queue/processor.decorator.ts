import { SetMetadata } from '@nestjs/common';
import type { QueueDefinition } from './queue-definition.js';

/** Metadata key of `@ProcessorOf()`. The value is the queue's definition. */
export const PROCESSOR_OF = Symbol('PROCESSOR_OF');

/** One attempt of a job, as passed to its processor. */
export interface Job<Payload> {
  readonly id: string;
  readonly tenantId: string;
  readonly queue: string;
  readonly payload: Payload;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** Aborts if the attempt times out, its claim is lost, or the grace period of a shutdown ends. */
  readonly signal: AbortSignal;
  /** Reports progress, 0 to 100. Stored at most a few times per second. */
  progress(percent: number): Promise<void>;
}

/**
 * Processes the jobs of one queue: calls a service, reports progress, and lets errors propagate. The payload
 * is already validated. A job runs at least once: if its result could not be recorded, it runs again. The
 * result is stored as JSON.
 */
export interface JobProcessor<Payload> {
  process(job: Job<Payload>): Promise<unknown>;
}

/** Marks a provider that implements `JobProcessor` as the processor of a queue. */
export const ProcessorOf =
  <Payload>(definition: QueueDefinition<Payload>) =>
  (target: new (...args: never[]) => JobProcessor<Payload>): void => {
    SetMetadata(PROCESSOR_OF, definition)(target);
  };
