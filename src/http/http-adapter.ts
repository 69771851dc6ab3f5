import { FastifyAdapter } from '@nestjs/platform-fastify';
import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type ServiceSettings, trustedHops } from '../config/index.js';
import type { ErrorReporter, Logger } from '../logging/index.js';
import { jsonBodyParser, requireUtf8 } from './json-body.js';
import { ProblemFilter } from './problem.filter.js';
import { receiveBodies } from './request-body.js';
import { createRequestIds } from './request-ids.js';
import { apiHeaders } from './security-headers.js';

interface ConnectionFailure extends Error {
  code?: string;
}

const connectionProblems: Readonly<Record<string, { status: number; code: string; detail: string }>> = {
  HPE_HEADER_OVERFLOW: {
    status: 431,
    code: 'headers_too_large',
    detail: 'The request headers are too large.',
  },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: {
    status: 413,
    code: 'payload_too_large',
    detail: 'The chunk extensions of the request body are too large.',
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: 408,
    code: 'request_timeout',
    detail: 'The request did not arrive within HTTP_REQUEST_TIMEOUT_MS.',
  },
};

const malformedRequest = {
  status: 400,
  code: 'malformed_request',
  detail: 'This is not a well-formed HTTP request.',
};

/** Responds to a request that Node.js could not parse: it has no request id, and the connection is closed. */
function respondToClientError(
  error: ConnectionFailure,
  socket: Socket & { _httpMessage?: ServerResponse },
): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  // If a response has already started on this connection, a second one must not be written into it.
  if (!socket.writable || socket._httpMessage?.headersSent) {
    socket.destroy(error);
    return;
  }
  const problem = connectionProblems[error.code ?? ''] ?? malformedRequest;
  const { status, code, detail } = problem;
  const title = STATUS_CODES[status] ?? 'Error';
  const body = JSON.stringify({ type: 'about:blank', title, status, code, detail });
  const head = [
    `HTTP/1.1 ${status} ${title}`,
    'Content-Type: application/problem+json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}

/**
 * Responds to requests that Fastify rejects before routing and hooks: a malformed URL, a path parameter that
 * is too long.
 */
const createFrameworkErrorHandler = (settings: ServiceSettings, logger: Logger, errors?: ErrorReporter) => {
  const filter = new ProblemFilter(logger, [], errors);
  const headers = apiHeaders({ isProduction: settings.NODE_ENV === 'production' });
  return (error: FastifyError, request: FastifyRequest, reply: FastifyReply): void => {
    void reply.headers(headers).header('x-request-id', request.id);
    filter.send(error, request, reply);
    logger.info({ requestId: request.id, method: request.method, status: reply.statusCode }, 'request');
  };
};

export function createHttpAdapter(
  settings: ServiceSettings,
  logger: Logger,
  errors?: ErrorReporter,
): FastifyAdapter {
  const adapter = new FastifyAdapter({
    bodyLimit: settings.HTTP_BODY_LIMIT_BYTES,
    requestTimeout: settings.HTTP_REQUEST_TIMEOUT_MS,
    trustProxy: trustedHops(settings.TRUST_PROXY),
    genReqId: createRequestIds(),
    forceCloseConnections: 'idle',
    // `problemOfHead` refuses requests without it; Node.js would do so without a problem document.
    http: { requireHostHeader: false },
    // While the server closes, requests that arrive on open connections are still served; the response closes
    // the connection.
    return503OnClosing: false,
    // The longest ids, percent-encoded: URLs of 8 KiB are accepted.
    routerOptions: { maxParamLength: 8192 },
    frameworkErrors: createFrameworkErrorHandler(settings, logger, errors),
    clientErrorHandler: respondToClientError,
  });
  const fastify = adapter.getInstance<FastifyInstance>();
  requireUtf8(fastify);
  receiveBodies(fastify, settings.HTTP_BODY_LIMIT_BYTES);
  // Only JSON is parsed; other content types get 415.
  fastify.removeContentTypeParser('text/plain');
  adapter.useBodyParser(
    ['application/json', 'application/merge-patch+json'],
    false,
    { bodyLimit: settings.HTTP_BODY_LIMIT_BYTES },
    jsonBodyParser,
  );
  return adapter;
}
