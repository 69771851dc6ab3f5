import type { LookupFunction } from 'node:net';
import { Agent, errors, request } from 'undici';

export interface HttpRequest {
  method: 'GET' | 'POST';
  url: URL;
  headers?: Record<string, string>;
  body?: string;
  /** Bounds the time of the request: the client has no timeouts of its own. */
  signal: AbortSignal;
}

export interface HttpResponse {
  status: number;
  /** Value of `Retry-After`. */
  retryAfter: string | undefined;
  body: string;
}

export interface HttpClientOptions {
  /** No limit when undefined. */
  maxResponseBytes?: number;
  /**
   * Resolves names in place of the system: what it does not return is not connected to. Literal addresses do
   * not pass through it.
   */
  lookup?: LookupFunction;
}

export class ResponseTooLargeError extends Error {
  constructor(readonly maxBytes: number) {
    super(`the response has more than ${maxBytes} bytes`);
    this.name = 'ResponseTooLargeError';
  }
}

/** The user and password of a URL, which the library leaves out. */
function credentialsOf({ username, password }: URL): { authorization?: string } {
  if (username === '' && password === '') return {};
  const text = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { authorization: `Basic ${Buffer.from(text).toString('base64')}` };
}

/** Connections to one server at a time. */
const CONNECTIONS = 64;

/**
 * Sends requests over HTTP or HTTPS on connections that are kept open, for all that this service sends to
 * others. Redirects are not followed: they would take keys and signatures elsewhere, and past the check of an
 * address.
 */
export class HttpClient {
  private readonly agent: Agent;
  private readonly maxResponseBytes: number | undefined;

  constructor({ maxResponseBytes, lookup }: HttpClientOptions = {}) {
    this.maxResponseBytes = maxResponseBytes;
    this.agent = new Agent({
      connections: CONNECTIONS,
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { timeout: 0, ...(lookup && { lookup }) },
      ...(maxResponseBytes !== undefined && { maxResponseSize: maxResponseBytes }),
    });
  }

  /** @throws Error of the network, the signal's reason, or ResponseTooLargeError */
  async request({ method, url, headers, body, signal }: HttpRequest): Promise<HttpResponse> {
    try {
      const response = await request(url, {
        dispatcher: this.agent,
        method,
        signal,
        headers: { ...credentialsOf(url), ...headers },
        ...(body !== undefined && { body }),
      });
      const retryAfter = response.headers['retry-after'];
      return {
        status: response.statusCode,
        retryAfter: Array.isArray(retryAfter) ? retryAfter[0] : retryAfter,
        body: await response.body.text(),
      };
    } catch (error) {
      if (error instanceof errors.ResponseExceededMaxSizeError)
        throw new ResponseTooLargeError(this.maxResponseBytes ?? 0);
      throw error;
    }
  }

  /** Ends the requests under way and closes the connections. */
  close(): Promise<void> {
    return this.agent.destroy();
  }
}
