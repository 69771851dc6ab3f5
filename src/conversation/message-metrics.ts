import { Injectable } from '@nestjs/common';
import { Counter } from 'prom-client';
import { ProblemError } from '../http/index.js';
import { METRIC_PREFIX, Metrics } from '../monitoring/index.js';

/** Failures that are told by their code; every other one is `error`. */
const toldCodes: ReadonlySet<string> = new Set([
  'responder_failed',
  'responder_timeout',
  'session_conflict',
  'external_id_in_use',
]);

const outcomeOf = (error: unknown): string =>
  error instanceof ProblemError && toldCodes.has(error.problem.code) ? error.problem.code : 'error';

/** Counts inbound messages by what became of them. */
@Injectable()
export class MessageMetrics {
  private readonly messages: Counter<'outcome'>;
  private readonly retries: Counter;

  constructor(metrics: Metrics) {
    this.messages = new Counter({
      name: `${METRIC_PREFIX}messages_handled_total`,
      help: 'Inbound messages by outcome: handled, repeated (known before, nothing written), or why they failed',
      labelNames: ['outcome'],
      registers: [metrics.registry],
    });
    this.retries = new Counter({
      name: `${METRIC_PREFIX}message_retries_total`,
      help: 'Inbound messages that were handled again, since another request had been quicker',
      registers: [metrics.registry],
    });
  }

  /** Answers and rejects as `work` does. */
  async handled<T extends { written: boolean }>(work: Promise<T>): Promise<T> {
    try {
      const result = await work;
      this.messages.inc({ outcome: result.written ? 'handled' : 'repeated' });
      return result;
    } catch (error) {
      this.messages.inc({ outcome: outcomeOf(error) });
      throw error;
    }
  }

  retried(): void {
    this.retries.inc();
  }
}
