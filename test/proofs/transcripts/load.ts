import { setTimeout as delay } from 'node:timers/promises';
import { type ApiClient, asAppended, asCreated, RequestFailure } from '../../../src/cli/index.js';
import { type Ledger, messagesOf, type SentClosing, type SentTranscript, textOf } from './ledger.js';
import { asClosed } from './shapes.js';

export interface LoadOptions {
  /** Number of clients that post transcripts, each one request at a time. */
  clients: number;
  /** Number of clients that close conversations. */
  closers: number;
}

/** Pause between two requests of a client, ms, so that the queue does not fill up and reject requests. */
const PAUSE_MS = 5;
/** Pause after a refused or reset connection or an error response, ms. */
const AGAIN_MS = 50;

/**
 * Clients that keep sending across restarts of the service. A request without a response is never repeated,
 * because it may have been accepted.
 */
export class TranscriptLoad {
  readonly ledger: Ledger = { transcripts: [], closings: [], refused: new Map() };
  private readonly running: Promise<void>[];
  private isOver = false;
  private next = 0;

  constructor(
    private readonly api: ApiClient,
    { clients, closers }: LoadOptions,
  ) {
    this.running = [
      ...Array.from({ length: clients }, () => this.untilOver(() => this.post())),
      ...Array.from({ length: closers }, () => this.untilOver(() => this.close())),
    ];
  }

  /** Number of transcripts and closings acknowledged so far. */
  get acked(): number {
    const { transcripts, closings } = this.ledger;
    return (
      transcripts.filter(({ id }) => id !== undefined).length + closings.filter((one) => one.acked).length
    );
  }

  /** Resolves when every client has received its last response. */
  async stop(): Promise<void> {
    this.isOver = true;
    await Promise.all(this.running);
  }

  private async untilOver(work: () => Promise<void>): Promise<void> {
    const { refused } = this.ledger;
    while (!this.isOver) {
      try {
        await work();
        await delay(PAUSE_MS);
      } catch (error) {
        if (!(error instanceof RequestFailure)) throw error;
        refused.set(error.code, (refused.get(error.code) ?? 0) + 1);
        await delay(AGAIN_MS);
      }
    }
  }

  private async post(): Promise<void> {
    const record: SentTranscript = { key: `t-${++this.next}` };
    this.ledger.transcripts.push(record);
    const { key } = record;
    const body = { participantId: key, channel: 'web', transcript: textOf(key), metadata: { key } };
    record.id = (await this.api.call('POST', '/v1/transcripts', asCreated, body)).id;
  }

  private async close(): Promise<void> {
    const key = `c-${++this.next}`;
    const record: SentClosing = { key, messages: messagesOf(key) };
    const begin = { participantId: key, channel: 'web' };
    const { id } = await this.api.call('POST', '/v1/conversations', asCreated, begin);
    const messages = record.messages.map((content) => ({ role: 'user', content }));
    await this.api.call('POST', `/v1/conversations/${id}/messages`, asAppended, { messages });
    this.ledger.closings.push(record);
    record.acked = await this.api.call('POST', `/v1/conversations/${id}/close`, asClosed, {
      metadata: { key },
    });
  }
}
