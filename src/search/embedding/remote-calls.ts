import { setTimeout as delay } from 'node:timers/promises';
import { backoffDelay, type BackoffOptions, type BreakerState, CircuitBreaker } from '../../common/index.js';
import { EmbeddingError } from './embedder.js';
import { Semaphore } from './semaphore.js';

export interface RemoteCallsOptions {
  /** Of the service, for messages: `Ollama`. */
  name: string;
  /** Longest time for one try, milliseconds. */
  timeoutMs: number;
  /** Tries of one call. */
  attempts: number;
  /** Calls at a time; a call that waits to be tried again keeps its place, so that a service in trouble is not asked by more. */
  concurrency: number;
  backoff?: BackoffOptions;
  /** Failed tries one after the other that open the circuit breaker. */
  breakerFailures?: number;
  breakerProbeIntervalMs?: number;
  /** A cheap request whose answer, whatever it says below 500, shows that the service is there again. */
  probe: { url: string; headers?: Record<string, string> };
  onBreakerChange?: (state: BreakerState, reason: string) => void;
}

export interface RemoteCall {
  url: string;
  headers?: Record<string, string>;
  body: unknown;
  /** What an answer from 400 to 499 other than 408, 425 and 429 means; not tried again. */
  explain?: (status: number) => string | undefined;
}

/** A longer Retry-After is cut to this, milliseconds. */
export const MAX_RETRY_AFTER_MS = 30_000;

const defaultBackoff: BackoffOptions = { baseMs: 200, maxMs: 10_000, jitter: 0.5 };

/** Milliseconds that `Retry-After` asks for, at most 30 s; undefined when it is absent or cannot be read. */
export function retryAfterMs(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  const text = header.trim();
  const asked = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isNaN(asked) ? undefined : Math.min(MAX_RETRY_AFTER_MS, Math.max(0, asked));
}

class TryError extends EmbeddingError {
  constructor(
    message: string,
    readonly waitMs: number | undefined,
    options?: ErrorOptions,
  ) {
    super(message, { retryable: true, ...options });
  }
}

const isTransient = (status: number): boolean =>
  status >= 500 || status === 429 || status === 408 || status === 425;

/** Lets the connection go back to the pool. */
const discard = async (response: Response): Promise<void> => {
  await response.body?.cancel().catch(() => undefined);
};

/**
 * Posts JSON to an embedding service: so many at a time, each try with a timeout, tries again what may pass, and refuses at once while
 * the circuit breaker is open. Neither bodies nor headers are logged or put into messages.
 */
export class RemoteCalls {
  private readonly semaphore: Semaphore;
  private readonly breaker: CircuitBreaker;
  private readonly backoff: BackoffOptions;

  constructor(private readonly options: RemoteCallsOptions) {
    this.semaphore = new Semaphore(options.concurrency);
    this.backoff = options.backoff ?? defaultBackoff;
    this.breaker = new CircuitBreaker({
      failures: options.breakerFailures ?? 5,
      probeIntervalMs: options.breakerProbeIntervalMs ?? 2000,
      probe: () => this.probe(),
      ...(options.onBreakerChange && { onChange: options.onBreakerChange }),
    });
  }

  get state(): BreakerState {
    return this.breaker.state;
  }

  /** Ends the probes of the breaker. */
  stop(): Promise<void> {
    return this.breaker.stop();
  }

  /**
   * The parsed body of the answer.
   * @throws EmbeddingError, or the signal's reason when it is aborted
   */
  post(call: RemoteCall, signal?: AbortSignal): Promise<unknown> {
    return this.semaphore.run(async () => {
      for (let attempt = 1; ; attempt++) {
        this.refuseWhileOpen();
        try {
          return await this.once(call, signal);
        } catch (error) {
          signal?.throwIfAborted();
          if (!(error instanceof TryError) || attempt >= this.options.attempts) throw error;
          if (!this.breaker.isClosed) throw error;
          await this.pause(error.waitMs ?? backoffDelay(attempt, this.backoff), signal);
        }
      }
    }, signal);
  }

  private refuseWhileOpen(): void {
    if (this.breaker.isClosed) return;
    throw new EmbeddingError(`${this.options.name} is not asked while it does not answer.`, {
      retryable: true,
    });
  }

  private async pause(ms: number, signal?: AbortSignal): Promise<void> {
    try {
      await delay(ms, undefined, signal && { signal });
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    }
  }

  private async once(call: RemoteCall, signal?: AbortSignal): Promise<unknown> {
    const timeout = AbortSignal.timeout(this.options.timeoutMs);
    let response: Response;
    let text: string;
    try {
      response = await fetch(call.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json', ...call.headers },
        body: JSON.stringify(call.body),
        // A redirect would take the key elsewhere.
        redirect: 'manual',
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      });
      text = response.ok ? await response.text() : '';
    } catch (error) {
      signal?.throwIfAborted();
      throw this.failed(
        timeout.aborted ? `did not answer within ${this.options.timeoutMs} ms` : 'cannot be reached',
        {
          cause: error,
        },
      );
    }
    if (!response.ok) {
      await discard(response);
      throw this.refusal(response, call);
    }
    this.breaker.succeeded();
    return this.parse(text);
  }

  private parse(text: string): unknown {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      // Without its cause, which would quote the answer.
      throw new EmbeddingError(`${this.options.name} answered with what is no JSON.`, { retryable: false });
    }
  }

  private refusal(response: Response, call: RemoteCall): EmbeddingError {
    const { status } = response;
    if (!isTransient(status)) {
      this.breaker.succeeded();
      const reason = call.explain?.(status);
      return new EmbeddingError(reason ?? `${this.options.name} answered ${status}.`, { retryable: false });
    }
    const waitMs = retryAfterMs(response.headers.get('retry-after'), Date.now());
    // A service that asks for patience is there.
    if (status === 429) return new TryError(`${this.options.name} answered 429: too many requests.`, waitMs);
    return this.failed(`answered ${status}`, {}, waitMs);
  }

  private failed(what: string, options: ErrorOptions, waitMs?: number): TryError {
    this.breaker.failure(what);
    return new TryError(`${this.options.name} ${what}.`, waitMs, options);
  }

  private async probe(): Promise<void> {
    const { url, headers } = this.options.probe;
    const response = await fetch(url, {
      ...(headers && { headers }),
      redirect: 'manual',
      signal: AbortSignal.timeout(this.options.timeoutMs),
    });
    await discard(response);
    if (response.status >= 500) throw new Error(`answered ${response.status}`);
  }
}
