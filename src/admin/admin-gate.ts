import { Inject, Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type ProblemError, ProblemFilter, setOperatorRequest } from '../http/index.js';
import { LOGGER, type Logger } from '../logging/index.js';
import { AdminKey, bearerOf, KeyThrottle, tooManyWrongKeys } from '../tenant/index.js';
import { foreignOrigin, loginRequired } from './admin.errors.js';
import { isAdminRequest, isOpenRoute, LOGIN } from './session/admin-paths.js';
import { AdminSessions } from './session/admin-sessions.js';
import { changesState, isFromOwnPage } from './session/same-origin.js';
import { readSessionCookie } from './session/session-cookie.js';

const wantsPage = ({ method, headers }: FastifyRequest): boolean =>
  (method === 'GET' || method === 'HEAD') && (headers.accept ?? '').includes('text/html');

/**
 * Checks all requests under /admin, whichever route handles them. Only requests of signed-in operators or
 * with the admin key pass; the guard then treats them as requests of an operator.
 */
@Injectable()
export class AdminGate {
  private readonly problems: ProblemFilter;

  constructor(
    private readonly key: AdminKey,
    private readonly sessions: AdminSessions,
    private readonly throttle: KeyThrottle,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.problems = new ProblemFilter(logger);
  }

  /** A Fastify hook: calls `next` when the request may pass, and otherwise sends a response. */
  check(request: FastifyRequest, reply: FastifyReply, next: () => void): void {
    if (!isAdminRequest(request)) {
      next();
      return;
    }
    void reply.headers({
      'cache-control': 'no-store',
      // With no-referrer, which other routes use, browsers would hide the Origin of our own forms as well.
      'referrer-policy': 'same-origin',
    });
    const refusal = this.refusalOf(request);
    if (!refusal) next();
    else if (refusal.problem.status === 401 && wantsPage(request))
      void reply.redirect(`${LOGIN}?next=${encodeURIComponent(request.url)}`, 303);
    else this.problems.send(refusal, request, reply);
  }

  /** Whether the request has a valid session cookie. */
  isSignedIn(request: FastifyRequest): boolean {
    const proof = readSessionCookie(request);
    return proof !== undefined && this.sessions.isValid(proof);
  }

  /**
   * Returns when the session of an accepted request ends, in milliseconds since 1970, or Infinity for a
   * request with the admin key.
   */
  signedInUntil(request: FastifyRequest): number {
    if (bearerOf(request) !== undefined) return Infinity;
    return this.sessions.endOf(readSessionCookie(request) ?? '') ?? 0;
  }

  /**
   * Checks a key for the admin pages. Returns the error for a wrong key, 401 or, after too many attempts,
   * 429; undefined when the key is right.
   */
  refusalOfKey(text: string, request: FastifyRequest): ProblemError | undefined {
    const { ip } = request;
    if (this.key.matches(text)) {
      const waitSeconds = this.throttle.adminKey(ip, this.isSignedIn(request));
      return waitSeconds > 0 ? tooManyWrongKeys(waitSeconds) : undefined;
    }
    const waitSeconds = this.throttle.wrongKey(ip);
    if (waitSeconds > 0) return tooManyWrongKeys(waitSeconds);
    this.logger.warn({ address: ip }, 'sign-in to the admin pages failed: wrong key');
    return loginRequired();
  }

  private refusalOf(request: FastifyRequest): ProblemError | undefined {
    const isForged = changesState(request) && !isFromOwnPage(request);
    if (isOpenRoute(request)) return isForged ? foreignOrigin() : undefined;
    const bearer = bearerOf(request);
    if (bearer !== undefined) {
      const refusal = this.refusalOfKey(bearer, request);
      if (refusal) return refusal;
    } else {
      if (!this.isSignedIn(request)) return loginRequired();
      if (isForged) return foreignOrigin();
    }
    setOperatorRequest(request);
    return undefined;
  }
}
