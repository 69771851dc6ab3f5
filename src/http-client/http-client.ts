import {
  Agent as HttpAgent,
  type ClientRequest,
  type IncomingMessage,
  request as requestHttp,
} from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import type { LookupFunction } from 'node:net';
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

/** The `Authorization` header for the user and password in a URL. */
function credentialsOf({ username, password }: URL): { authorization?: string } {
  if (username === '' && password === '') return {};
  const text = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { authorization: `Basic ${Buffer.from(text).toString('base64')}` };
}

/** Default of `connections`. */
const CONNECTIONS = 64;

/** A connection that is not established by then no longer counts toward `connections`. */
const CONNECT_TIMEOUT_MS = 10_000;

/** An unused connection is closed after this time, or earlier if the server says so in `Keep-Alive`. */
const KEEP_ALIVE_MS = 4000;

class ConnectTimeoutError extends Error {
  readonly code = 'ETIMEDOUT';
}

/** Ends a request whose connection is not established in time. */
function limitConnecting(request: ClientRequest): void {
  request.once('socket', (socket) => {
    if (!socket.connecting) return;
    const timer = setTimeout(() => {
      request.destroy(new ConnectTimeoutError(`no connection within ${CONNECT_TIMEOUT_MS} ms`));
    }, CONNECT_TIMEOUT_MS);
    const stop = (): void => {
      clearTimeout(timer);
    };
    socket.once('encrypted' in socket ? 'secureConnect' : 'connect', stop);
    request.once('close', stop);
  });
}

/** Sends the request and resolves with the headers of the final response; informational ones are ignored. */
const responseTo = (request: ClientRequest, body: string | undefined): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    request.once('response', resolve);
    request.on('error', reject);
    // The server has switched the protocol, which was not asked for.
    request.once('close', () => {
      reject(new Error('the connection was closed without a response, or switched to another protocol'));
    });
    limitConnecting(request);
    request.end(body);
  });

/** @throws ResponseTooLargeError */
async function bytesOf(response: IncomingMessage, maxBytes: number): Promise<Buffer> {
  if (Number(response.headers['content-length'] ?? 0) > maxBytes) {
    response.destroy();
    throw new ResponseTooLargeError(maxBytes);
  }
  const chunks: Buffer[] = [];
  let length = 0;
  // Leaving the loop closes the connection.
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBytes) throw new ResponseTooLargeError(maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/**
 * The HTTP and HTTPS client for all outgoing requests of this service, with keep-alive. It does not follow
 * redirects, which would send keys and signatures to another server and bypass the check of the address.
 */
export class HttpClient {
  private readonly agents: { http: HttpAgent; https: HttpsAgent };
  private readonly running = new Set<ClientRequest>();
  private readonly maxResponseBytes: number;

  constructor({ maxResponseBytes = Infinity, lookup, connections = CONNECTIONS }: HttpClientOptions = {}) {
    this.maxResponseBytes = maxResponseBytes;
    const options = {
      keepAlive: true,
      timeout: KEEP_ALIVE_MS,
      maxSockets: connections ?? Infinity,
      ...(lookup && { lookup }),
    };
    this.agents = { http: new HttpAgent(options), https: new HttpsAgent(options) };
  }

  /** @throws Error network errors, the signal's reason, or ResponseTooLargeError */
  request(options: HttpRequest): Promise<HttpResponse> {
    return untilAborted(this.send(options), options.signal);
  }

  /** Aborts requests in progress and closes all connections. */
  close(): Promise<void> {
    for (const request of this.running) request.destroy(new Error('the client was closed'));
    this.agents.http.destroy();
    this.agents.https.destroy();
    return Promise.resolve();
  }

  private async send({ method, url, headers, body, signal }: HttpRequest): Promise<HttpResponse> {
    const options = { method, signal, headers: { ...credentialsOf(url), ...headers } };
    const request =
      url.protocol === 'https:'
        ? requestHttps(url, { ...options, agent: this.agents.https })
        : requestHttp(url, { ...options, agent: this.agents.http });
    this.running.add(request);
    request.once('close', () => this.running.delete(request));
    const response = await responseTo(request, body);
    const { 'retry-after': retryAfter, 'content-encoding': contentEncoding = 'identity' } = response.headers;
    const bytes = await bytesOf(response, this.maxResponseBytes);
    return {
      status: response.statusCode ?? 0,
      retryAfter,
      contentEncoding: contentEncoding.trim().toLowerCase(),
      bytes,
      get body() {
        return new TextDecoder().decode(bytes);
      },
    };
  }
}
