import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import { STATUS_CODES } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { shortened } from '../common/index.js';
import {
  type ErrorReporter,
  silentReporter,
  type Logger,
  withoutQuotations,
  contextOf,
} from '../logging/index.js';
import { type ProblemDetails, ProblemError } from './problem.js';

/** Maximum lengths of texts that may contain parts of the request. */
const MAX_DETAIL = 1000;
const MAX_INSTANCE = 500;

/** The `code` for errors that the framework raises with only a status. */
const frameworkCodes: Record<number, string> = {
  400: 'bad_request',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'route_not_found',
  405: 'method_not_allowed',
  408: 'request_timeout',
  413: 'payload_too_large',
  414: 'uri_too_long',
  415: 'unsupported_media_type',
  429: 'too_many_requests',
  431: 'headers_too_large',
  503: 'unavailable',
  507: 'insufficient_storage',
};

const frameworkDetails: Record<number, string> = {
  404: 'There is no such route. /docs lists all routes.',
  413: 'The request body is larger than HTTP_BODY_LIMIT_BYTES allows.',
  414: 'A segment of the path has more than 8192 characters.',
  415: 'Send the body as JSON, with "Content-Type: application/json".',
};

const hasStatusCode = (error: unknown): error is Error & { statusCode: number } =>
  error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number';

interface HealthFailure {
  status: 'error';
  error: Record<string, { status: string; message?: string }>;
  /** The results of all checks, including those that are up. */
  details?: Record<string, unknown>;
}

const isHealthFailure = (body: unknown): body is HealthFailure =>
  typeof body === 'object' &&
  body !== null &&
  'status' in body &&
  body.status === 'error' &&
  'error' in body &&
  typeof body.error === 'object' &&
  body.error !== null;

/**
 * Converts a failed Terminus health check to a problem: every indicator that is down, with its reason if it
 * has one, and all results in `checks`.
 */
function fromHealthCheck(error: unknown): ProblemDetails | undefined {
  if (!(error instanceof HttpException) || error.getStatus() !== 503) return undefined;
  const body = error.getResponse();
  if (!isHealthFailure(body)) return undefined;
  const reasons = Object.entries(body.error).map(
    ([name, { status, message }]) => `${name}: ${message ?? status}`,
  );
  return {
    status: 503,
    code: 'not_ready',
    title: 'Not ready',
    detail: reasons.join('; '),
    extra: { checks: body.details },
  };
}

/**
 * How an error is handled: the problem to send, and whether it is an expected failure outside of this
 * process.
 */
interface Classification {
  problem: ProblemDetails;
  /**
   * Then the stack is not logged, and reports are throttled because many requests may fail in the same way.
   */
  isExpected: boolean;
}

const isOutside = (status: number): boolean => (status >= 502 && status <= 504) || status === 507;

const routeOf = ({ routeOptions }: Partial<FastifyRequest>): string => routeOptions?.url ?? 'unknown';

function fromStatus(status: number, message: string): ProblemDetails {
  return {
    status,
    code: frameworkCodes[status] ?? `http_${status}`,
    title: STATUS_CODES[status] ?? 'Error',
    detail: frameworkDetails[status] ?? message,
  };
}

/** Converts an error to the problem to send to the client; undefined if the client must not see it (500). */
export type ProblemTranslator = (error: unknown) => ProblemDetails | undefined;

/**
 * Converts every error to an RFC 9457 problem document. Errors with status 500 and above are reported, and
 * the response and the log contain the `errorId` of the report; the response never contains the stack.
 * Expected failures of a dependency (a responder or the database: 502 to 504, 507) are logged as a warning without
 * a stack, and reported at most once a minute per code. A failed health check has no `errorId` and is not
 * reported.
 */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(
    private readonly logger: Logger,
    private readonly translators: readonly ProblemTranslator[] = [],
    private readonly errors: ErrorReporter = silentReporter,
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    this.send(error, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>());
  }

  /**
   * Also called for errors that Fastify raises before routing: a malformed URL, a path parameter that is too
   * long.
   */
  send(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const classification = this.classify(error);
    const { problem } = classification;
    const body: Record<string, unknown> = {
      type: 'about:blank',
      title: problem.title,
      status: problem.status,
      code: problem.code,
      ...(problem.detail !== undefined && { detail: shortened(problem.detail, MAX_DETAIL) }),
      instance: shortened(request.url.split('?', 1)[0] ?? '', MAX_INSTANCE),
      requestId: request.id,
      ...problem.extra,
    };
    if (problem.status >= 500) {
      const errorId = problem.code === 'not_ready' ? undefined : this.report(error, classification, request);
      if (errorId !== undefined) body['errorId'] = errorId;
      this.log(error, classification, request, errorId);
    }
    if (reply.sent) return;
    if (problem.retryAfterSeconds !== undefined)
      void reply.header('retry-after', String(problem.retryAfterSeconds));
    if (problem.status === 401) void reply.header('www-authenticate', 'Bearer realm="colloquy"');
    void reply
      .status(problem.status)
      .header('content-type', 'application/problem+json; charset=utf-8')
      .send(JSON.stringify(body));
  }

  private report(error: unknown, { problem, isExpected }: Classification, request: FastifyRequest): string {
    const { status, code } = problem;
    const { id: requestId, method } = request;
    const tenantId = contextOf(request)?.tenantId;
    return this.errors.report(error, {
      level: isExpected ? 'warning' : 'error',
      tags: { route: routeOf(request), method, status, code, requestId, tenantId },
      ...(isExpected && { throttle: code }),
    });
  }

  private log(
    error: unknown,
    { problem, isExpected }: Classification,
    request: FastifyRequest,
    errorId: string | undefined,
  ): void {
    const { status, code, detail } = problem;
    const tenantId = contextOf(request)?.tenantId;
    const known = { requestId: request.id, ...(tenantId !== undefined && { tenantId }) };
    if (!isExpected) {
      this.logger.error({ ...known, err: error, errorId, code }, 'request failed');
      return;
    }
    const source = error instanceof ProblemError ? error.cause : error;
    const cause =
      source instanceof Error && problem.code !== 'not_ready' ? withoutQuotations(source.message) : undefined;
    this.logger.warn(
      { ...known, status, code, detail, ...(errorId && { errorId }), ...(cause && { cause }) },
      'request failed',
    );
  }

  private classify(error: unknown): Classification {
    const known = this.knownProblem(error);
    if (known) return { problem: known, isExpected: known.code === 'not_ready' || isOutside(known.status) };
    return { problem: this.unknownProblem(error), isExpected: false };
  }

  /** Returns the problem if the error is a known one or a module translates it; otherwise undefined. */
  private knownProblem(error: unknown): ProblemDetails | undefined {
    if (error instanceof ProblemError) return error.problem;
    const failedCheck = fromHealthCheck(error);
    if (failedCheck) return failedCheck;
    if (error instanceof HttpException && error.getStatus() < 500)
      return fromStatus(error.getStatus(), error.message);
    for (const translate of this.translators) {
      const problem = translate(error);
      if (problem) return problem;
    }
    return undefined;
  }

  private unknownProblem(error: unknown): ProblemDetails {
    if (error instanceof HttpException) return fromStatus(error.getStatus(), error.message);
    if (hasStatusCode(error) && error.statusCode >= 400 && error.statusCode < 500)
      return fromStatus(error.statusCode, error.message);
    return {
      status: 500,
      code: 'internal_error',
      title: 'Internal error',
      detail: 'An unexpected error occurred in the service. Include the errorId when you report it.',
    };
  }
}
