import { NotFoundException } from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify';
import { asError } from '../common/index.js';
import {
  contextOf,
  type Logger,
  REQUEST_CONTEXT,
  type RequestContext,
  runInContext,
  setContextOf,
} from '../logging/index.js';
import { isRead, isStreamed } from './access.js';
import { continueWhenRead, problemOfHead } from './request-head.js';
import { ResponseBudget, type ResponseBudgetOptions } from './response-budget.js';
import type { Headers } from './security-headers.js';

export interface RequestHooks {
  logger: Logger;
  /** Sent with every response except pages. */
  apiHeaders: Headers;
  /** Sent with responses under /admin and /docs. */
  pageHeaders: Headers;
  /** Called when a request has ended. */
  timings: { ended(request: FastifyRequest, reply: FastifyReply, context: RequestContext): void };
  /** Checks requests under /admin and /docs: either calls `next` or sends the response. */
  adminGate: { check(request: FastifyRequest, reply: FastifyReply, next: () => void): void };
  /** Decides from the headers whether a request is admitted; throws or rejects if it is not. */
  guard: { authenticate(request: FastifyRequest): undefined | Promise<void> };
  /** If set, only routes that match are served, and every other route returns 404. */
  servedRoutes?: RegExp;
}

/** For each tenant. A page has about 2 MiB; see pagination.ts. */
const RESPONSE_BUDGET: ResponseBudgetOptions = {
  maxBytes: 4 * 1024 * 1024,
  bytesPerSecond: 4 * 1024 * 1024,
  maxWaitMs: 10_000,
};

type Area = 'api' | '/admin' | '/docs';

const pages = ['/admin', '/docs'] as const;

/** Compares whole path segments: `/documents` is not under `/docs`. */
function areaOfPath(path: string): Area {
  for (const page of pages)
    if (path.startsWith(page) && /^[/?#]?$/.test(path.charAt(page.length))) return page;
  return 'api';
}

/** Uses the matched route, which does not depend on how the URL was encoded; otherwise the URL itself. */
function areaOf(url: string, route = ''): Area {
  const area = areaOfPath(route);
  return area === 'api' ? areaOfPath(url) : area;
}

/**
 * 502 to 504 and 507 are failures of a dependency (a responder, the database); 500 is a fault of this program.
 */
const logLevelOf = (status: number): 'error' | 'warn' | 'info' | 'debug' =>
  (status >= 502 && status <= 504) || status === 507
    ? 'warn'
    : status >= 500
      ? 'error'
      : status >= 400
        ? 'info'
        : 'debug';

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

/**
 * Requests of one kind usually have responses of about the same size: those with the same method, route and number
 * of binary digits of `limit`.
 */
function kindOf({ method, routeOptions, query }: FastifyRequest): string {
  const { limit } = query as { limit?: unknown };
  const digits = typeof limit === 'string' && /^\d{1,3}$/.test(limit) ? Number(limit).toString(2).length : 0;
  return `${method} ${routeOptions.url ?? ''} ${digits}`;
}

/** Undefined for a stream. */
function sizeOf(payload: unknown): number | undefined {
  if (payload === undefined || payload === null) return 0;
  if (typeof payload === 'string') return Buffer.byteLength(payload);
  return payload instanceof Uint8Array ? payload.length : undefined;
}

type Connection = Socket & { _httpMessage?: ServerResponse | null };

/**
 * Closes busy connections during a shutdown. When the server closes, Fastify closes only idle connections. A
 * busy connection is closed here after its response; otherwise a client's keep-alive would delay the
 * shutdown.
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

  /** Must be called for each request. */
  use(connection: Socket, response: ServerResponse): void {
    if (this.isClosing) this.endWith(response);
    if (this.connections.has(connection)) return;
    this.connections.add(connection);
    connection.once('close', () => this.connections.delete(connection));
  }

  private endWith(response: ServerResponse): void {
    if (!response.headersSent) response.shouldKeepAlive = false;
    // The response may already have announced `keep-alive`.
    response.once('close', () => {
      setImmediate(() => {
        this.fastify.server.closeIdleConnections();
      });
    });
  }
}

/**
 * Adds the hooks that run for every request, unknown routes included: at the beginning, they set its context and
 * headers and check its key, before any of its body is read; then they limit its tenant's large responses; at the
 * end, they write the log line and record the timing. Must be called before routes are added, because a hook only
 * applies to routes that are added after it.
 */
export function addRequestHooks(
  fastify: FastifyInstance,
  { logger, apiHeaders, pageHeaders, timings, adminGate, guard, servedRoutes }: RequestHooks,
): void {
  const authenticate = (request: FastifyRequest, done: HookHandlerDoneFunction): void => {
    let decision: undefined | Promise<void>;
    try {
      decision = guard.authenticate(request);
    } catch (error) {
      done(asError(error));
      return;
    }
    if (decision) decision.then(() => done(), done);
    else done();
  };
  const connections = new OpenConnections(fastify);
  continueWhenRead(fastify.server);
  fastify.decorateRequest(REQUEST_CONTEXT, null);
  fastify.addHook('onRequest', (request, reply, done) => {
    const route = request.routeOptions.url;
    const context: RequestContext = { requestId: request.id };
    if (route !== undefined) context.route = route;
    setContextOf(request, context);
    connections.use(request.raw.socket, reply.raw);
    const area = areaOf(request.url, route);
    void reply.headers(area === 'api' ? apiHeaders : pageHeaders).header('x-request-id', request.id);
    const problem = problemOfHead(request);
    if (problem) {
      done(problem);
      return;
    }
    if (servedRoutes && !servedRoutes.test(route ?? '')) {
      done(new NotFoundException());
      return;
    }
    const proceed = (): void => {
      if (request.is404) done(new NotFoundException());
      else authenticate(request, done);
    };
    runInContext(context, () => {
      if (area !== 'api') adminGate.check(request, reply, proceed);
      else proceed();
    });
  });
  const budget = new ResponseBudget(RESPONSE_BUDGET);
  fastify.addHook('preHandler', (request, reply, done) => {
    const tenantId = contextOf(request)?.tenantId;
    // Requests that store something are not delayed: they may take long because of a responder.
    if (tenantId === undefined || !isRead(request) || isStreamed(request)) done();
    else budget.admit(tenantId, kindOf(request), reply.raw, done);
  });
  fastify.addHook('onSend', (request, reply, payload, done) => {
    const tenantId = contextOf(request)?.tenantId;
    if (tenantId !== undefined) {
      const bytes = sizeOf(payload);
      if (bytes !== undefined) budget.sized(tenantId, kindOf(request), reply.raw, bytes);
    }
    done(null, payload);
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
