import { SetMetadata } from '@nestjs/common';
import type { QueueDefinition } from './queue-definition.js';

/** Metadata key of `@ProcessorOf()`: the definition of the queue. */
export const PROCESSOR_OF = Symbol('PROCESSOR_OF');

/** One try of a job, as its processor sees it. */
export interface Job<Payload> {
  readonly id: string;
  readonly tenantId: string;
  readonly queue: string;
  readonly payload: Payload;
  /** 1 for the first try. */
  readonly attempt: number;
  /** Aborted when the try takes too long, when its claim was lost, and when a shutdown can wait no longer. */
  readonly signal: AbortSignal;
  /** Tells how far it is, 0 to 100. Stored at most a few times a second. */
  progress(percent: number): Promise<void>;
}

/**
 * Does the work of one queue: parses nothing, calls one service, reports progress, and throws on what it meets as it is. A job runs at
 * least once: work that was done and not noted is done again. Its result is kept as JSON.
 */
export interface JobProcessor<Payload> {
  process(job: Job<Payload>): Promise<unknown>;
}

/** On a provider that implements `JobProcessor`: it does the work of this queue. */
export const ProcessorOf =
  <Payload>(definition: QueueDefinition<Payload>) =>
  (target: new (...args: never[]) => JobProcessor<Payload>): void => {
    SetMetadata(PROCESSOR_OF, definition)(target);
  };
