import { Injectable } from '@nestjs/common';
import { ProblemError } from '../http/index.js';
import { counter, Monitoring } from '../monitoring/index.js';

/** Failures that are counted by their code; every other one is `error`. */
const countedCodes: ReadonlySet<string> = new Set([
  'responder_failed',
  'responder_timeout',
  'responder_busy',
  'session_conflict',
  'external_id_in_use',
]);

const outcomeOf = (error: unknown): string =>
  error instanceof ProblemError && countedCodes.has(error.problem.code) ? error.problem.code : 'error';

/** Counts inbound messages by their outcome. */
@Injectable()
export class MessageMetrics {
  private readonly messages = counter({
    name: 'colloquy_messages_handled_total',
    help: 'Inbound messages by outcome: handled, coalesced (stored, and answered with a later message), repeated (already stored, nothing written), or the reason of the failure',
    labelNames: ['outcome'],
  });
  private readonly retries = counter({
    name: 'colloquy_message_retries_total',
    help: 'Inbound messages that were retried because a concurrent request had changed the same data',
  });

  constructor(monitoring: Monitoring) {
    monitoring.contribute({ metrics: [this.messages, this.retries] });
  }

  /** Resolves and rejects as `work` does. */
  async handled<T extends { written: boolean; coalesced: boolean }>(work: Promise<T>): Promise<T> {
    try {
      const result = await work;
      const { written, coalesced } = result;
      this.messages.inc({ outcome: !written ? 'repeated' : coalesced ? 'coalesced' : 'handled' });
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
