import { setTimeout as delay } from 'node:timers/promises';
import { type ApiClient, type ApiResponse, RequestFailure } from '../../../src/cli/index.js';

/** One request and its outcome. */
export interface Sample {
  what: string;
  /** When it was sent, on the clock of performance.now(). */
  begun: number;
  ms: number;
  /** HTTP status; 0 if there was no response. */
  status: number;
  /** `code` of the problem document; `no_answer` if there was no response. */
  code?: string | undefined;
  /** Whether the response is a problem document with Retry-After. */
  saysWhen: boolean;
}

type Call = readonly [what: string, method: string, path: string, body?: unknown];

/**
 * Pause of a client after a failed request, ms. It is shorter than the Retry-After of the response, to keep
 * the load up.
 */
const PAUSE_AFTER_FAILURE_MS = 100;

const codeOf = (body: unknown): string | undefined =>
  typeof body === 'object' && body !== null && 'code' in body && typeof body.code === 'string'
    ? body.code
    : undefined;

function sampleOf(what: string, begun: number, answer: ApiResponse): Sample {
  const { status, headers, body } = answer;
  const isProblem = (headers.get('content-type') ?? '').startsWith('application/problem+json');
  const saysWhen = isProblem && headers.has('retry-after');
  return { what, begun, ms: performance.now() - begun, status, code: codeOf(body), saysWhen };
}

const participantOf = (index: number): string => `p${index}`;

/** Stores a message for each client, so that its reads find something. */
export async function prepareParticipants(api: ApiClient, clients: number): Promise<void> {
  for (let index = 0; index < clients; index++)
    await api.call('POST', '/v1/messages', () => undefined, {
      participantId: participantOf(index),
      channel: 'web',
      content: 'Hello',
    });
}

/** Clients that send one request at a time until `stop` is called. */
export class OutageLoad {
  readonly samples: Sample[] = [];
  private stopped = false;
  private ended: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly api: ApiClient,
    private readonly clients: number,
  ) {}

  start(): void {
    this.ended = Promise.all(Array.from({ length: this.clients }, (_, index) => this.client(index)));
  }

  /** Resolves when each client has received its last response. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.ended;
  }

  private async client(index: number): Promise<void> {
    const participantId = participantOf(index);
    for (let count = 1; !this.stopped; count++) {
      const [what, method, path, body] = this.call(participantId, count);
      const begun = performance.now();
      const sample = await this.api.request(method, path, body).then(
        (answer) => sampleOf(what, begun, answer),
        (error: unknown): Sample => {
          if (!(error instanceof RequestFailure)) throw error;
          return { what, begun, ms: performance.now() - begun, status: 0, code: error.code, saysWhen: false };
        },
      );
      this.samples.push(sample);
      if (sample.status >= 300 || sample.status === 0) await delay(PAUSE_AFTER_FAILURE_MS);
    }
  }

  private call(participantId: string, count: number): Call {
    const content = `Message ${count} of ${participantId}`;
    switch (count % 4) {
      case 0:
        return ['list', 'GET', `/v1/conversations?participantId=${participantId}`];
      case 1:
        return ['session', 'GET', `/v1/sessions/${participantId}`];
      case 2:
        return [
          'transcript',
          'POST',
          '/v1/transcripts',
          { participantId, channel: 'web', transcript: content },
        ];
      default:
        return ['message', 'POST', '/v1/messages', { participantId, channel: 'web', content }];
    }
  }
}
