import { FastifyAdapter } from '@nestjs/platform-fastify';
import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyBodyParser, FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import {
  contextOf,
  type ErrorReporter,
  type Logger,
  ProblemError,
  ProblemFilter,
  REQUEST_CONTEXT,
  type RequestContext,
  runInContext,
  setContextOf,
} from './common/index.js';
import type { ServiceSettings } from './config/index.js';

const acceptableId = /^[\w.:-]{1,128}$/;

/** A caller's own X-Request-Id is kept when it is safe to log; otherwise a new one is made. */
function requestIdOf(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && acceptableId.test(given) ? given : randomUUID();
}

/** 502 to 504 tell of others (a responder, the database), 500 of a fault in here. */
const logLevelOf = (status: number): 'error' | 'warn' | 'info' | 'debug' =>
  status >= 502 && status <= 504 ? 'warn' : status >= 500 ? 'error' : status >= 400 ? 'info' : 'debug';

function addRequestHooks(fastify: FastifyInstance, logger: Logger): void {
  // Kept on the request as well: the socket that reports the end of an answer may belong to another request's asynchronous flow.
  fastify.decorateRequest(REQUEST_CONTEXT, null);
  fastify.addHook('onRequest', (request, reply, done) => {
    void reply.header('x-request-id', request.id);
    const context: RequestContext = { requestId: request.id, databaseRoundTrips: 0 };
    if (request.routeOptions.url) context.route = request.routeOptions.url;
    setContextOf(request, context);
    runInContext(context, done);
  });
  fastify.addHook('onResponse', (request, reply, done) => {
    logger[logLevelOf(reply.statusCode)](
      {
        requestId: request.id,
        tenantId: contextOf(request)?.tenantId,
        method: request.method,
        route: request.routeOptions.url ?? 'unknown',
        status: reply.statusCode,
        durationMs: Math.round(reply.elapsedTime * 10) / 10,
      },
      'request',
    );
    done();
  });
}

/**
 * Fastify closes the connections that are idle when the server closes. One that was busy then is ended with its answer: kept
 * alive by the client, it would hold up the shutdown.
 */
function endConnectionsOnClose(fastify: FastifyInstance): void {
  let closing = false;
  fastify.addHook('preClose', (done) => {
    closing = true;
    done();
  });
  fastify.addHook('onSend', (_request, reply, _payload, done) => {
    if (closing) void reply.header('connection', 'close');
    done();
  });
  fastify.addHook('onResponse', (_request, _reply, done) => {
    if (closing)
      setImmediate(() => {
        fastify.server.closeIdleConnections();
      });
    done();
  });
}

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

/** Answers what Node could not read as a request: there is no request id, and the connection ends. */
function answerClientError(
  error: ConnectionFailure,
  socket: Socket & { _httpMessage?: ServerResponse },
): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  // An answer that has begun on this connection must not get a second one into its middle.
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

/** Answers what Fastify refuses before a route and its hooks: a badly encoded URL, an over-long path parameter. */
const createFrameworkErrorHandler = (logger: Logger, errors?: ErrorReporter) => {
  const filter = new ProblemFilter(logger, [], errors);
  return (error: FastifyError, request: FastifyRequest, reply: FastifyReply): void => {
    void reply.header('x-request-id', request.id);
    filter.send(error, request, reply);
    logger.info({ requestId: request.id, method: request.method, status: reply.statusCode }, 'request');
  };
};

/** Why `text` was refused: a syntax error in the parser's words, or a key that could change an object's prototype. */
function invalidJson(text: string): ProblemError {
  try {
    JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const detail = `The request body is not valid JSON: ${reason}`;
    return new ProblemError({ status: 400, code: 'invalid_json', title: 'The body is not JSON', detail });
  }
  return new ProblemError({
    status: 400,
    code: 'forbidden_key',
    title: 'The body has a forbidden key',
    detail:
      'The keys "__proto__" and "constructor" with a "prototype" in it are not accepted in JSON bodies.',
  });
}

/** Reads JSON. An empty body is none: many clients send the content type with every request. */
function createJsonParser(fastify: FastifyInstance): FastifyBodyParser<Buffer> {
  const parse = fastify.getDefaultJsonParser('error', 'error');
  return (request, body, done) => {
    if (body.length === 0) {
      done(null, undefined);
      return;
    }
    const text = body.toString('utf8').replace(/^\uFEFF/, '');
    void parse(request, text, (error, value) => {
      if (error) done(invalidJson(text));
      else done(null, value);
    });
  };
}

export function createHttpAdapter(
  settings: ServiceSettings,
  logger: Logger,
  errors?: ErrorReporter,
): FastifyAdapter {
  const adapter = new FastifyAdapter({
    bodyLimit: settings.HTTP_BODY_LIMIT_BYTES,
    requestTimeout: settings.HTTP_REQUEST_TIMEOUT_MS,
    trustProxy: settings.TRUST_PROXY,
    genReqId: requestIdOf,
    forceCloseConnections: 'idle',
    // What comes in on an open connection while others finish is still served; its answer ends the connection.
    return503OnClosing: false,
    routerOptions: { maxParamLength: 512 },
    frameworkErrors: createFrameworkErrorHandler(logger, errors),
    clientErrorHandler: answerClientError,
  });
  const fastify = adapter.getInstance<FastifyInstance>();
  addRequestHooks(fastify, logger);
  endConnectionsOnClose(fastify);
  // JSON alone is read; anything else is a 415.
  fastify.removeContentTypeParser('text/plain');
  adapter.useBodyParser(
    ['application/json', 'application/merge-patch+json'],
    false,
    { bodyLimit: settings.HTTP_BODY_LIMIT_BYTES },
    createJsonParser(fastify),
  );
  return adapter;
}
