import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable, Module } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import type { Collection, Connection } from 'mongoose';
import { z } from 'zod';
import {
  defineQueue,
  type Job,
  type JobProcessor,
  ProcessorOf,
  QueueModule,
} from '../../../src/queue/index.js';

/** The start or end of one attempt at a job, as recorded by its processor. */
export interface ProbeEvent {
  queue: string;
  n: number;
  attempt: number;
  pid: number;
  began: number;
  ended?: number;
}

const payload = z.strictObject({ n: z.int(), round: z.string() });
export type ProbePayload = z.output<typeof payload>;

/** The backoff between attempts of `spaced`, before jitter is subtracted. */
export const spacing = { baseMs: 1000, maxMs: 60_000, jitter: 0.2 } as const;
export const limit = { max: 5, perMs: 1000 } as const;

/** The first attempt runs until its worker is killed; the next attempt finishes immediately. */
export const killed = defineQueue({ name: 'killed', payload, timeoutMs: 600_000 });
/** All three attempts fail. */
export const spaced = defineQueue({
  name: 'spaced',
  payload,
  attempts: 3,
  backoff: spacing,
  concurrency: 50,
});
export const limited = defineQueue({ name: 'limited', payload, rateLimit: limit, concurrency: 10 });
/** Each job takes several seconds. */
export const parallel = defineQueue({ name: 'parallel', payload, concurrency: 100 });

/** Longer than it takes to start a hundred jobs one after another. */
export const PARALLEL_MS = 5000;

const definitions = [killed, spaced, limited, parallel];

/** Records when attempts start and end, in the database that all processes share. */
@Injectable()
export class ProbeLog {
  constructor(@InjectConnection() private readonly connection: Connection) {}

  async note<T>(
    { queue, payload: { n, round }, attempt }: Job<ProbePayload>,
    work: () => Promise<T>,
  ): Promise<T> {
    const event: ProbeEvent & { round: string } = {
      queue,
      n,
      round,
      attempt,
      pid: process.pid,
      began: Date.now(),
    };
    const { insertedId } = await this.events.insertOne(event);
    try {
      return await work();
    } finally {
      await this.events.updateOne({ _id: insertedId }, { $set: { ended: Date.now() } });
    }
  }

  /** The attempts of one queue and round, ordered by start time. */
  async read(queue: string, round: string): Promise<ProbeEvent[]> {
    return this.events.find({ queue, round }).sort({ began: 1 }).toArray();
  }

  private get events(): Collection<ProbeEvent & { round: string }> {
    return this.connection.collection('probe_events');
  }
}

@Injectable()
@ProcessorOf(killed)
class KilledProcessor implements JobProcessor<ProbePayload> {
  constructor(@Inject(ProbeLog) private readonly log: ProbeLog) {}

  process(job: Job<ProbePayload>): Promise<unknown> {
    return this.log.note(job, async () => {
      if (job.attempt === 1) await delay(600_000, undefined, { signal: job.signal });
    });
  }
}

@Injectable()
@ProcessorOf(spaced)
class SpacedProcessor implements JobProcessor<ProbePayload> {
  constructor(@Inject(ProbeLog) private readonly log: ProbeLog) {}

  process(job: Job<ProbePayload>): Promise<unknown> {
    return this.log.note(job, () => Promise.reject(new Error('fails each time')));
  }
}

@Injectable()
@ProcessorOf(limited)
class LimitedProcessor implements JobProcessor<ProbePayload> {
  constructor(@Inject(ProbeLog) private readonly log: ProbeLog) {}

  process(job: Job<ProbePayload>): Promise<unknown> {
    return this.log.note(job, () => Promise.resolve());
  }
}

@Injectable()
@ProcessorOf(parallel)
class ParallelProcessor implements JobProcessor<ProbePayload> {
  constructor(@Inject(ProbeLog) private readonly log: ProbeLog) {}

  process(job: Job<ProbePayload>): Promise<unknown> {
    return this.log.note(job, () => delay(PARALLEL_MS));
  }
}

@Module({
  imports: [QueueModule.forFeature(definitions)],
  providers: [ProbeLog, KilledProcessor, SpacedProcessor, LimitedProcessor, ParallelProcessor],
})
export class ProbeModule {}
