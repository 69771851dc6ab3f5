import { NotFoundException } from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import {
  contextOf,
  type Logger,
  REQUEST_CONTEXT,
  type RequestContext,
  runInContext,
  setContextOf,
} from '../logging/index.js';
import type { Headers } from './security-headers.js';

export interface RequestHooks {
  logger: Logger;
  /** Of all responses but those of pages. */
  apiHeaders: Headers;
  /** Of what is under /admin and /docs. */
  pageHeaders: Headers;
  /** Records the end of a request. */
  timings: { ended(request: FastifyRequest, reply: FastifyReply, context: RequestContext): void };
  /** Decides about requests under /admin: calls `next`, or responds. */
  adminGate: { check(request: FastifyRequest, reply: FastifyReply, next: () => void): void };
  /** Every route that does not match is 404; all are served without it. */
  servedRoutes?: RegExp;
}

type Area = 'api' | '/admin' | '/docs';

const pages = ['/admin', '/docs'] as const;

/** By whole segments: `/documents` is not under `/docs`. */
function areaOfPath(path: string): Area {
  for (const page of pages)
    if (path.startsWith(page) && /^[/?#]?$/.test(path.charAt(page.length))) return page;
  return 'api';
}

/** By the route that was found, however its address was written, or else by the address. */
function areaOf(url: string, route = ''): Area {
  const area = areaOfPath(route);
  return area === 'api' ? areaOfPath(url) : area;
}

/** 502 to 504 are failures of others (a responder, the database), 500 is a fault of this program. */
const logLevelOf = (status: number): 'error' | 'warn' | 'info' | 'debug' =>
  status >= 502 && status <= 504 ? 'warn' : status >= 500 ? 'error' : status >= 400 ? 'info' : 'debug';

function logRequest(
  logger: Logger,
  request: FastifyRequest,
  reply: FastifyReply,
  context: RequestContext,
): void {
  const level = logLevelOf(reply.statusCode);
  if (!logger.isLevelEnabled(level)) return;
  logger[level](
    {
      requestId: context.requestId,
      tenantId: context.tenantId,
      method: request.method,
      route: context.route ?? 'unknown',
      status: reply.statusCode,
      durationMs: Math.round(reply.elapsedTime * 10) / 10,
    },
    'request',
  );
}

type Connection = Socket & { _httpMessage?: ServerResponse | null };

/**
 * Fastify closes the connections that are idle when the server closes. One that is busy then is ended with its response: kept alive by the
 * client, it would hold up the shutdown.
 */
class OpenConnections {
  private readonly connections = new Set<Connection>();
  private isClosing = false;

  constructor(private readonly fastify: FastifyInstance) {
    fastify.addHook('preClose', (done) => {
      this.isClosing = true;
      for (const { _httpMessage: response } of this.connections) if (response) this.endWith(response);
      done();
    });
  }

  /** To be called with each request. */
  use(connection: Socket, response: ServerResponse): void {
    if (this.isClosing) this.endWith(response);
    if (this.connections.has(connection)) return;
    this.connections.add(connection);
    connection.once('close', () => this.connections.delete(connection));
  }

  private endWith(response: ServerResponse): void {
    if (!response.headersSent) response.shouldKeepAlive = false;
    // The client may have been told before that the connection stays open.
    response.once('close', () => {
      setImmediate(() => {
        this.fastify.server.closeIdleConnections();
      });
    });
  }
}

/**
 * The one pair of hooks that every request passes: its context and headers when it begins, log and timings when it ends. To be called
 * before the routes are added, since a hook concerns those after it alone.
 */
export function addRequestHooks(
  fastify: FastifyInstance,
  { logger, apiHeaders, pageHeaders, timings, adminGate, servedRoutes }: RequestHooks,
): void {
  const connections = new OpenConnections(fastify);
  fastify.decorateRequest(REQUEST_CONTEXT, null);
  fastify.addHook('onRequest', (request, reply, done) => {
    const route = request.routeOptions.url;
    const context: RequestContext = { requestId: request.id };
    if (route !== undefined) context.route = route;
    setContextOf(request, context);
    connections.use(request.raw.socket, reply.raw);
    const area = areaOf(request.url, route);
    void reply.headers(area === 'api' ? apiHeaders : pageHeaders).header('x-request-id', request.id);
    if (servedRoutes && !servedRoutes.test(route ?? '')) done(new NotFoundException());
    else if (area !== '/admin') runInContext(context, done);
    else
      runInContext(context, () => {
        adminGate.check(request, reply, done);
      });
  });
  fastify.addHook('onResponse', (request, reply, done) => {
    const context = contextOf(request);
    if (context) {
      timings.ended(request, reply, context);
      logRequest(logger, request, reply, context);
    }
    done();
  });
}
