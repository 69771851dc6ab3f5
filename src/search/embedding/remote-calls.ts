import pLimit, { type LimitFunction } from 'p-limit';
import {
  type BackoffOptions,
  type BreakerState,
  CircuitBreaker,
  type RetryPolicy,
  retryPolicy,
  untilAborted,
} from '../../common/index.js';
import { HttpClient, type HttpResponse, retryAfterMs } from '../../http-client/index.js';
import { EmbeddingError } from './embedder.js';

export interface RemoteCallsOptions {
  /** Name of the service, for messages: `Ollama`. */
  name: string;
  /** Maximum time for one attempt, milliseconds. */
  timeoutMs: number;
  /** Maximum number of attempts of one call. */
  attempts: number;
  /**
   * Maximum number of concurrent calls. A call that waits for its next attempt is still counted, so that an
   * overloaded service does not receive more calls.
   */
  concurrency: number;
  backoff?: BackoffOptions;
  /** Number of consecutive failed attempts that open the circuit breaker. */
  breakerFailures?: number;
  breakerProbeIntervalMs?: number;
  /** A cheap request. Any response with a status below 500 shows that the service is available again. */
  probe: { url: string; headers?: Record<string, string> };
  onBreakerChange?: (state: BreakerState, reason: string) => void;
}

export interface RemoteCall {
  url: string;
  headers?: Record<string, string>;
  body: unknown;
  /** Explains a status from 400 to 499 other than 408, 425 and 429. Such a call is not retried. */
  explain?: (status: number) => string | undefined;
}

/** A longer Retry-After is limited to this, milliseconds. */
const MAX_RETRY_AFTER_MS = 30_000;

const defaultBackoff: BackoffOptions = { baseMs: 200, maxMs: 10_000, jitter: 0.5 };

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

/**
 * Posts JSON to an embedding service: limits concurrent calls, applies a timeout to each attempt, retries
 * temporary failures, and fails immediately while the circuit breaker is open. Bodies and headers appear
 * neither in logs nor in error messages.
 */
export class RemoteCalls {
  private readonly http = new HttpClient();
  private readonly limit: LimitFunction;
  private readonly retrying: RetryPolicy;
  private readonly breaker: CircuitBreaker;

  constructor(private readonly options: RemoteCallsOptions) {
    this.limit = pLimit(options.concurrency);
    this.retrying = retryPolicy({
      attempts: options.attempts,
      backoff: options.backoff ?? defaultBackoff,
      isRetryable: (error) => error instanceof TryError && this.breaker.isClosed,
      waitMs: (error) => (error instanceof TryError ? error.waitMs : undefined),
    });
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

  /**
   * Stops the probes of the breaker. Calls are still possible, because requests may still be in progress.
   * Idle connections do not keep the process alive.
   */
  stop(): Promise<void> {
    return this.breaker.stop();
  }

  /**
   * Returns the parsed body of the response.
   * @throws EmbeddingError, or the signal's reason if it is aborted, even while the call waits for its turn
   */
  post(call: RemoteCall, signal: AbortSignal): Promise<unknown> {
    const inTurn = this.limit(() =>
      this.retrying(async () => {
        this.refuseWhileOpen();
        return this.once(call, signal);
      }, signal),
    );
    return untilAborted(inTurn, signal);
  }

  private refuseWhileOpen(): void {
    if (this.breaker.isClosed) return;
    throw new EmbeddingError(
      `${this.options.name} is unavailable; it is called again after a successful probe.`,
      {
        retryable: true,
      },
    );
  }

  private async once(call: RemoteCall, signal: AbortSignal): Promise<unknown> {
    const timeout = AbortSignal.timeout(this.options.timeoutMs);
    let response: HttpResponse;
    try {
      response = await this.http.request({
        method: 'POST',
        url: new URL(call.url),
        headers: { 'content-type': 'application/json', accept: 'application/json', ...call.headers },
        body: JSON.stringify(call.body),
        signal: AbortSignal.any([signal, timeout]),
      });
    } catch (error) {
      signal.throwIfAborted();
      const what = timeout.aborted
        ? `did not respond within ${this.options.timeoutMs} ms`
        : 'cannot be reached';
      throw this.failed(what, { cause: error });
    }
    if (response.status < 200 || response.status >= 300) throw this.refusal(response, call);
    this.breaker.succeeded();
    return this.parse(response.body);
  }

  private parse(text: string): unknown {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      // The cause is omitted because it would quote the response.
      throw new EmbeddingError(`${this.options.name} returned a response that is not JSON.`, {
        retryable: false,
      });
    }
  }

  private refusal({ status, retryAfter }: HttpResponse, call: RemoteCall): EmbeddingError {
    if (!isTransient(status)) {
      this.breaker.succeeded();
      const reason = call.explain?.(status);
      return new EmbeddingError(reason ?? `${this.options.name} responded with ${status}.`, {
        retryable: false,
      });
    }
    const asked = retryAfterMs(retryAfter, Date.now());
    const waitMs = asked && Math.min(MAX_RETRY_AFTER_MS, asked);
    // A service that responds with 429 is available, so this does not count as a failure for the breaker.
    if (status === 429)
      return new TryError(`${this.options.name} responded with 429: too many requests.`, waitMs);
    return this.failed(`responded with ${status}`, {}, waitMs);
  }

  private failed(what: string, options: ErrorOptions, waitMs?: number): TryError {
    this.breaker.failure(what);
    return new TryError(`${this.options.name} ${what}.`, waitMs, options);
  }

  private async probe(): Promise<void> {
    const { url, headers } = this.options.probe;
    const { status } = await this.http.request({
      method: 'GET',
      url: new URL(url),
      ...(headers && { headers }),
      signal: AbortSignal.timeout(this.options.timeoutMs),
    });
    if (status >= 500) throw new Error(`responded with ${status}`);
  }
}
