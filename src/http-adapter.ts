import { FastifyAdapter } from '@nestjs/platform-fastify';
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { type Logger, runInContext } from './common/index.js';
import type { ServiceSettings } from './config/index.js';

const acceptableId = /^[\w.:-]{1,128}$/;

/** A caller's own X-Request-Id is kept when it is safe to log; otherwise a new one is made. */
function requestIdOf(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && acceptableId.test(given) ? given : randomUUID();
}

function addRequestHooks(fastify: FastifyInstance, logger: Logger): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    void reply.header('x-request-id', request.id);
    runInContext(
      { requestId: request.id, ...(request.routeOptions.url && { route: request.routeOptions.url }) },
      done,
    );
  });
  fastify.addHook('onResponse', (request, reply, done) => {
    const level = reply.statusCode >= 500 ? 'error' : reply.statusCode >= 400 ? 'info' : 'debug';
    logger[level](
      {
        requestId: request.id,
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

export function createHttpAdapter(settings: ServiceSettings, logger: Logger): FastifyAdapter {
  const adapter = new FastifyAdapter({
    bodyLimit: settings.HTTP_BODY_LIMIT_BYTES,
    requestTimeout: settings.HTTP_REQUEST_TIMEOUT_MS,
    trustProxy: settings.TRUST_PROXY,
    genReqId: requestIdOf,
    forceCloseConnections: 'idle',
    // What comes in on an open connection while others finish is still served; its answer ends the connection.
    return503OnClosing: false,
    routerOptions: { maxParamLength: 512 },
  });
  const fastify = adapter.getInstance<FastifyInstance>();
  addRequestHooks(fastify, logger);
  endConnectionsOnClose(fastify);
  // JSON alone is read (Fastify's own parser); anything else is a 415.
  fastify.removeContentTypeParser('text/plain');
  fastify.addContentTypeParser(
    'application/merge-patch+json',
    { parseAs: 'string' },
    fastify.getDefaultJsonParser('error', 'error'),
  );
  return adapter;
}
