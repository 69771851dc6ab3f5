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
  /** Of the service, for messages: `Ollama`. */
  name: string;
  /** Longest time for one try, milliseconds. */
  timeoutMs: number;
  /** Tries of one call. */
  attempts: number;
  /**
   * Calls at a time; a call that waits to be tried again keeps its place, so that a service in trouble is not
   * asked by more.
   */
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
 * Posts JSON to an embedding service: so many at a time, each try with a timeout, tries again what may pass,
 * and refuses at once while the circuit breaker is open. Neither bodies nor headers are logged or put into
 * messages.
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
   * Ends the probes of the breaker. Calls go on: requests may still be served. Connections that are idle keep
   * no process alive.
   */
  stop(): Promise<void> {
    return this.breaker.stop();
  }

  /**
   * The parsed body of the answer.
   * @throws EmbeddingError, or the signal's reason when it is aborted, also while the call waits for its turn
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
    throw new EmbeddingError(`${this.options.name} is not asked while it does not answer.`, {
      retryable: true,
    });
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
        ? `did not answer within ${this.options.timeoutMs} ms`
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
      // Without its cause, which would quote the answer.
      throw new EmbeddingError(`${this.options.name} answered with what is no JSON.`, { retryable: false });
    }
  }

  private refusal({ status, retryAfter }: HttpResponse, call: RemoteCall): EmbeddingError {
    if (!isTransient(status)) {
      this.breaker.succeeded();
      const reason = call.explain?.(status);
      return new EmbeddingError(reason ?? `${this.options.name} answered ${status}.`, { retryable: false });
    }
    const asked = retryAfterMs(retryAfter, Date.now());
    const waitMs = asked && Math.min(MAX_RETRY_AFTER_MS, asked);
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
    const { status } = await this.http.request({
      method: 'GET',
      url: new URL(url),
      ...(headers && { headers }),
      signal: AbortSignal.timeout(this.options.timeoutMs),
    });
    if (status >= 500) throw new Error(`answered ${status}`);
  }
}
