import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import {
  JsonFaultError,
  parseExactJson,
  type RetryPolicy,
  retryPolicy,
  shortened,
} from '../../common/index.js';
import { PROCESSING_SETTINGS, type ProcessingSettings } from '../../config/index.js';
import { exactUrl, nullIsAbsent } from '../../http/index.js';
import {
  HttpClient,
  type HttpResponse,
  ResponseTooLargeError,
  retryAfterMs,
  signatureOf,
} from '../../http-client/index.js';
import { checkResult } from '../responder-result.js';
import {
  type Responder,
  ResponderError,
  type ResponderRequest,
  type ResponderResult,
  type SummaryRequest,
} from '../responder.js';
import { namesForbiddenHost, PrivateAddressError, guardedLookup } from './address-guard.js';

export const MAX_RESPONSE_BYTES = 256 * 1024;

/**
 * The size of a request from which on older messages are left out, bytes of JSON. It is kept in memory while the
 * endpoint works.
 */
export const MAX_REQUEST_BYTES = 512 * 1024;

/** If Retry-After asks for more than this, the request is not retried. */
const MAX_RETRY_AFTER_MS = 5000;

const retryBackoff = { baseMs: 200, maxMs: 2000, jitter: 0.5 };

export interface HttpResponderConfig {
  url: string;
  secret: string;
  historyLimit: number;
}

const httpSchemes: ReadonlySet<string> = new Set(['http:', 'https:']);

const configSchema = (allowPrivate: boolean): z.ZodType<HttpResponderConfig> =>
  nullIsAbsent(
    z.strictObject({
      url: exactUrl('must be an http or https URL', httpSchemes)
        .refine((text) => new URL(text).username + new URL(text).password === '', {
          message: 'must not contain a user or password',
        })
        .refine((text) => !namesForbiddenHost(new URL(text), allowPrivate), {
          message: allowPrivate
            ? 'must not be the link-local or metadata address of a cloud'
            : 'must not be on a loopback, link-local, private or reserved address (an operator may allow loopback and private ones: HTTP_RESPONDER_ALLOW_PRIVATE)',
        }),
      secret: z
        .string()
        .min(16, 'must have at least 16 characters')
        .max(256)
        .meta({ description: 'Key for signing each request; never returned by the API' }),
      historyLimit: z
        .int()
        .min(0)
        .max(50)
        .default(10)
        .meta({ description: 'Number of earlier messages that are included in the request' }),
    }),
  );

/** One event sent to an endpoint. */
interface EndpointRequest {
  config: HttpResponderConfig;
  /** The same for all attempts. */
  key: string;
  body: string;
}

const summarySchema = z.object({ summary: z.string() });

/** A failed attempt. `mayRetry` is false when the endpoint asks for a delay above MAX_RETRY_AFTER_MS. */
class FailedAttempt extends Error {
  constructor(
    /** The status of the response, or the error if there was no response. */
    readonly outcome: { status: number } | { error: unknown },
    readonly mayRetry: boolean,
    readonly waitMs?: number,
  ) {
    super('an attempt failed');
  }

  /** The error reported to the caller after this many attempts. */
  after(attempts: number): ResponderError {
    const times = attempts === 1 ? '' : ` after ${attempts} attempts`;
    if ('status' in this.outcome)
      return new ResponderError(`The endpoint responded with ${this.outcome.status}${times}.`);
    const { error } = this.outcome;
    const hasCode = typeof error === 'object' && error !== null && 'code' in error;
    const code = hasCode ? String(error.code) : '';
    const reason = reasonOf(code) ?? 'The endpoint could not be reached';
    return new ResponderError(`${reason}${times}${code && ` (${code})`}.`, { cause: error });
  }
}

/** Explains the codes of TLS errors. */
function reasonOf(code: string): string | undefined {
  if (/CERT|SELF_SIGNED|ISSUER|ALTNAME/.test(code)) return "The endpoint's TLS certificate is not trusted";
  if (/^(?:EPROTO|ERR_SSL)/.test(code)) return 'The endpoint does not speak TLS as expected';
  return undefined;
}

/** Calls the tenant's own endpoint. See docs/responders.md for the request and response. */
@Injectable()
export class HttpResponder implements Responder<HttpResponderConfig>, OnApplicationShutdown {
  readonly type: string = 'http';
  readonly secretFields: readonly string[] = ['secret'];
  readonly configSchema: z.ZodType<HttpResponderConfig>;
  private readonly http: HttpClient;
  private readonly retrying: RetryPolicy;
  private readonly allowPrivate: boolean;

  /** Replaceable in tests. */
  protected readonly now = (): number => Date.now();

  constructor(@Inject(PROCESSING_SETTINGS) settings: ProcessingSettings) {
    this.allowPrivate = settings.HTTP_RESPONDER_ALLOW_PRIVATE;
    this.configSchema = configSchema(this.allowPrivate);
    this.http = new HttpClient({
      maxResponseBytes: MAX_RESPONSE_BYTES,
      // ResponderRunner limits the calls of each tenant. A shared limit would let them wait for one another.
      connections: null,
      lookup: guardedLookup(this.allowPrivate),
    });
    this.retrying = retryPolicy({
      attempts: settings.HTTP_RESPONDER_ATTEMPTS,
      backoff: retryBackoff,
      isRetryable: (error) => error instanceof FailedAttempt && error.mayRetry,
      waitMs: (error) => (error instanceof FailedAttempt ? error.waitMs : undefined),
    });
  }

  /** In the last phase of a shutdown: jobs that still run call the endpoint until then. */
  onApplicationShutdown(): Promise<void> {
    return this.http.close();
  }

  async respond(
    request: ResponderRequest<HttpResponderConfig>,
    signal: AbortSignal,
  ): Promise<ResponderResult> {
    const body = await bodyOf(request);
    const response = await this.post({ config: request.config, key: request.message.id, body }, signal);
    return response.status === 204
      ? { reply: null }
      : checkResult(jsonOf(response), "The endpoint's response");
  }

  async summarize(
    { tenant, conversation, transcriptId, transcript, goals, config }: SummaryRequest<HttpResponderConfig>,
    signal: AbortSignal,
  ): Promise<string> {
    const event = { event: 'summarize', tenantId: tenant.tenantId, conversation, transcript, goals };
    const response = await this.post({ config, key: transcriptId, body: JSON.stringify(event) }, signal);
    const parsed = summarySchema.safeParse(jsonOf(response));
    if (!parsed.success) throw new ResponderError("The endpoint's response contains no summary.");
    return parsed.data.summary;
  }

  /**
   * Sends the event with retries and returns the first response that is final: neither 5xx nor a 429 that
   * says when to try again.
   * @throws ResponderError, or the signal's reason if it is aborted
   */
  private async post(request: EndpointRequest, signal: AbortSignal): Promise<HttpResponse> {
    const url = new URL(request.config.url);
    if (namesForbiddenHost(url, this.allowPrivate)) throw privateAddress();
    let attempts = 0;
    try {
      return await this.retrying((attempt) => {
        attempts = attempt;
        return this.attempt(url, request, signal);
      }, signal);
    } catch (error) {
      throw error instanceof FailedAttempt ? error.after(attempts) : error;
    }
  }

  private async attempt(
    url: URL,
    { config, key, body }: EndpointRequest,
    signal: AbortSignal,
  ): Promise<HttpResponse> {
    const timestamp = String(Math.floor(this.now() / 1000));
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json',
      'accept-encoding': 'identity',
      'user-agent': 'Colloquy',
      'idempotency-key': key,
      'x-colloquy-timestamp': timestamp,
      'x-colloquy-signature': signatureOf(config.secret, timestamp, body),
    };
    const response = await this.http
      .request({ method: 'POST', url, headers, body, signal })
      .catch((error: unknown) => {
        throw signal.aborted ? error : failureOf(error);
      });
    const waitMs = retryAfterMs(response.retryAfter, this.now());
    const isBusy = response.status === 429 && waitMs !== undefined;
    if (response.status < 500 && !isBusy) return response;
    throw new FailedAttempt(response, waitMs === undefined || waitMs <= MAX_RETRY_AFTER_MS, waitMs);
  }
}

/** The error for an attempt that got no response. */
function failureOf(error: unknown): Error {
  if (error instanceof PrivateAddressError) return privateAddress(error);
  if (error instanceof ResponseTooLargeError)
    return new ResponderError(`The endpoint's response is larger than ${error.maxBytes} bytes.`, {
      cause: error,
    });
  return new FailedAttempt({ error }, true);
}

const jsonBytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

/** Returns the last items that fit, and the bytes that are left. */
function newestThatFit<Item>(items: readonly Item[], bytes: number): { kept: Item[]; left: number } {
  let left = bytes;
  let start = items.length;
  for (; start > 0; start--) {
    const size = jsonBytes(items[start - 1]) + 1;
    if (size > left) break;
    left -= size;
  }
  return { kept: items.slice(start), left };
}

async function bodyOf(request: ResponderRequest<HttpResponderConfig>): Promise<string> {
  const { tenant, conversation, message, burst = [], session, config } = request;
  const history = config.historyLimit > 0 ? await request.history(config.historyLimit) : [];
  const event = { event: 'message', tenantId: tenant.tenantId, conversation, message, session };
  const inBurst = newestThatFit(burst, MAX_REQUEST_BYTES - jsonBytes(event));
  const before = newestThatFit(history, inBurst.left);
  return JSON.stringify({
    ...event,
    ...(inBurst.kept.length > 0 && { burst: inBurst.kept }),
    // Without gaps: nothing before a message of the burst that was left out.
    history: inBurst.kept.length < burst.length ? [] : before.kept,
  });
}

/** @throws ResponderError if the response is not a 2xx with JSON */
function jsonOf({ status, bytes, contentEncoding }: HttpResponse): unknown {
  if (status >= 300 && status < 400)
    throw new ResponderError(`The endpoint responded with ${status}: redirects are not followed.`);
  if (status < 200 || status >= 300)
    throw new ResponderError(
      `The endpoint responded with ${status} ${STATUS_CODES[status] ?? ''}`.trimEnd() + '.',
    );
  if (contentEncoding !== 'identity')
    throw new ResponderError(
      `The endpoint's response is compressed ("Content-Encoding: ${shortened(contentEncoding, 50)}"), although the request accepts no compression.`,
    );
  try {
    return parseExactJson(bytes);
  } catch (error) {
    const isJson = error instanceof JsonFaultError && error.fault !== 'invalid_json';
    const reason = isJson ? error.message : 'is not JSON.';
    throw new ResponderError(`The endpoint's response ${reason}`, { cause: error });
  }
}

const privateAddress = (cause?: unknown): ResponderError =>
  new ResponderError('The endpoint is on a loopback, link-local or private address, which is not allowed.', {
    cause,
  });
