import { setTimeout as delay } from 'node:timers/promises';
import { backoffDelay } from '../../common/index.js';
import { type ApiClient, type ApiResponse, RequestFailure } from '../api-client.js';

/** The import cannot continue. Everything acknowledged so far remains stored. */
export class ImportStoppedError extends Error {}

export interface SenderOptions {
  /** The import stops when no transcript was accepted or rejected for this time, in milliseconds. */
  patienceMs: number;
  now?: () => number;
  sleep?: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

export type Sent = { id: string } | { rejected: string };

/** Statuses that are caused by the body. */
const badBody = new Set([400, 409, 413, 415, 422]);
/** Statuses of a service that is unavailable, full or slow; the same request must be retried. */
const busy = new Set([408, 429, 502, 503, 504, 507]);
const MAX_FAULTS = 5;
const MAX_PAUSE_MS = 60_000;
const backoff = { baseMs: 250, maxMs: 10_000, jitter: 0.5 };

function problemOf({ status, body }: ApiResponse): string {
  const { code, detail } = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  const words = [status, code, detail].filter((word) => typeof word === 'string' || typeof word === 'number');
  return words.join(' ');
}

const idIn = (body: unknown): string | undefined =>
  typeof body === 'object' && body !== null && 'id' in body && typeof body.id === 'string'
    ? body.id
    : undefined;

/** The pause requested by `Retry-After`, in milliseconds; undefined unless it is given in seconds. */
function askedPause({ headers }: ApiResponse): number | undefined {
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(MAX_PAUSE_MS, seconds * 1000) : undefined;
}

/**
 * Sends transcripts until they are accepted or rejected. When the service requests a pause, all callers of
 * this sender wait.
 */
export class TranscriptSender {
  private pausedUntil = 0;
  private acceptedAt = Number.NEGATIVE_INFINITY;
  /** When a transcript was last accepted or rejected. */
  private movedAt: number;
  private readonly now: () => number;
  private readonly sleep: (ms: number, signal: AbortSignal) => Promise<unknown>;
  /** Number of retries. */
  retries = 0;

  constructor(
    private readonly api: Pick<ApiClient, 'request'>,
    private readonly options: SenderOptions,
  ) {
    this.now = options.now ?? (() => performance.now());
    this.sleep = options.sleep ?? ((ms, signal) => delay(ms, undefined, { signal }));
    this.movedAt = this.now();
  }

  /**
   * @throws ImportStoppedError, or the signal's reason when it is aborted before this transcript is accepted
   * or rejected
   */
  async send(body: Record<string, unknown>, signal: AbortSignal): Promise<Sent> {
    const begunAt = this.now();
    let faults = 0;
    for (let attempt = 1; ; attempt++) {
      await this.pause(signal);
      const answer = await this.post(body);
      if (typeof answer === 'string') {
        this.postpone(answer, attempt, undefined);
        continue;
      }
      const id = answer.status === 202 ? idIn(answer.body) : undefined;
      if (id !== undefined) {
        this.acceptedAt = this.movedAt = this.now();
        return { id };
      }
      const problem = problemOf(answer);
      if (answer.status === 500) faults++;
      // If others were accepted in the meantime, this transcript is the problem.
      if (badBody.has(answer.status) || (faults >= MAX_FAULTS && this.acceptedAt > begunAt)) {
        this.movedAt = this.now();
        return { rejected: problem };
      }
      if (!busy.has(answer.status) && answer.status !== 500)
        throw new ImportStoppedError(`The service responded with ${problem}.`);
      this.postpone(`it responded with ${problem}`, attempt, answer);
    }
  }

  /** Returns the response, or the reason why there was none. */
  private async post(body: Record<string, unknown>): Promise<ApiResponse | string> {
    try {
      return await this.api.request('POST', '/v1/transcripts', body);
    } catch (error) {
      if (error instanceof RequestFailure) return error.message;
      throw error;
    }
  }

  private postpone(reason: string, attempt: number, answer: ApiResponse | undefined): void {
    const now = this.now();
    const sinceMs = now - this.movedAt;
    if (sinceMs > this.options.patienceMs)
      throw new ImportStoppedError(
        `The service has accepted nothing for ${Math.round(sinceMs / 1000)} s: ${reason}.`,
      );
    this.retries++;
    const pauseMs = (answer && askedPause(answer)) ?? backoffDelay(attempt, backoff);
    this.pausedUntil = Math.max(this.pausedUntil, now + pauseMs);
  }

  private async pause(signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      const left = this.pausedUntil - this.now();
      if (left <= 0) return;
      await this.sleep(left, signal);
    }
  }
}
