import { Injectable, type Type } from '@nestjs/common';
import { type Job, type JobProcessor, ProcessorOf, type QueueDefinition } from '../../src/queue/index.js';

/** A class that processes the jobs of a queue by calling `work`. */
export function processorOf<Payload>(
  definition: QueueDefinition<Payload>,
  work: (job: Job<Payload>) => Promise<unknown>,
): Type<JobProcessor<Payload>> {
  class Processor implements JobProcessor<Payload> {
    process(job: Job<Payload>): Promise<unknown> {
      return work(job);
    }
  }
  Injectable()(Processor);
  ProcessorOf(definition)(Processor);
  return Processor;
}
