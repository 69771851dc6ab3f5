import type { LookupFunction } from 'node:net';
import { Agent, errors, request } from 'undici';
import { untilAborted } from '../common/index.js';

export interface HttpRequest {
  method: 'GET' | 'POST';
  url: URL;
  headers?: Record<string, string>;
  body?: string;
  /** Limits the duration of the request. The client itself only limits the time to connect. */
  signal: AbortSignal;
}

export interface HttpResponse {
  status: number;
  /** The value of the `Retry-After` header. */
  retryAfter: string | undefined;
  /** In lower case; `identity` if the body is not encoded. It is not decoded. */
  contentEncoding: string;
  bytes: Buffer;
  /** The text of `bytes`, without a byte order mark. */
  readonly body: string;
}

export interface HttpClientOptions {
  /** Maximum number of connections to one server; further requests wait. Null: no limit. */
  connections?: number | null;
  /** Undefined: no limit. */
  maxResponseBytes?: number;
  /**
   * Resolves host names instead of the system resolver. The client connects only to addresses that it
   * returns. Literal IP addresses in a URL bypass it.
   */
  lookup?: LookupFunction;
}

export class ResponseTooLargeError extends Error {
  constructor(readonly maxBytes: number) {
    super(`the response has more than ${maxBytes} bytes`);
    this.name = 'ResponseTooLargeError';
  }
}

/** The `Authorization` header for the user and password in a URL, which undici does not send itself. */
function credentialsOf({ username, password }: URL): { authorization?: string } {
  if (username === '' && password === '') return {};
  const text = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { authorization: `Basic ${Buffer.from(text).toString('base64')}` };
}

/** Default of `connections`. */
const CONNECTIONS = 64;

/** A connection that is not established by then no longer counts toward `connections`. */
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * The HTTP and HTTPS client for all outgoing requests of this service, with keep-alive. It does not follow
 * redirects, which would send keys and signatures to another server and bypass the check of the address.
 */
export class HttpClient {
  private readonly agent: Agent;
  private readonly maxResponseBytes: number | undefined;

  constructor({ maxResponseBytes, lookup, connections = CONNECTIONS }: HttpClientOptions = {}) {
    this.maxResponseBytes = maxResponseBytes;
    this.agent = new Agent({
      connections,
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { timeout: CONNECT_TIMEOUT_MS, ...(lookup && { lookup }) },
      ...(maxResponseBytes !== undefined && { maxResponseSize: maxResponseBytes }),
    });
  }

  /** @throws Error network errors, the signal's reason, or ResponseTooLargeError */
  request(options: HttpRequest): Promise<HttpResponse> {
    // While it connects, undici ignores the signal.
    return untilAborted(this.send(options), options.signal);
  }

  /** Aborts requests in progress and closes all connections. */
  close(): Promise<void> {
    return this.agent.destroy();
  }

  private async send({ method, url, headers, body, signal }: HttpRequest): Promise<HttpResponse> {
    try {
      const response = await request(url, {
        dispatcher: this.agent,
        method,
        signal,
        headers: { ...credentialsOf(url), ...headers },
        ...(body !== undefined && { body }),
      });
      const retryAfter = response.headers['retry-after'];
      const contentEncoding = response.headers['content-encoding'] ?? 'identity';
      const bytes = Buffer.from(await response.body.arrayBuffer());
      return {
        status: response.statusCode,
        retryAfter: Array.isArray(retryAfter) ? retryAfter[0] : retryAfter,
        contentEncoding: String(contentEncoding).trim().toLowerCase(),
        bytes,
        get body() {
          return new TextDecoder().decode(bytes);
        },
      };
    } catch (error) {
      if (error instanceof errors.ResponseExceededMaxSizeError)
        throw new ResponseTooLargeError(this.maxResponseBytes ?? 0);
      throw error;
    }
  }
}
