import { Inject, Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { bearerOf, type ProblemError, ProblemFilter, setOperatorRequest } from '../http/index.js';
import { SERVICE_SETTINGS, type ServiceSettings } from '../config/index.js';
import { LOGGER, type Logger } from '../logging/index.js';
import { AdminKey, KeyThrottle, tooManyWrongKeys } from '../tenant/index.js';
import { foreignOrigin, loginRequired } from './admin.errors.js';
import { ADMIN_DOCS, isAdminRequest, isDocsRequest, isOpenRoute, LOGIN } from './session/admin-paths.js';
import { type ActiveSession, AdminSessions } from './session/admin-sessions.js';
import { EndedSessions } from './session/ended-sessions.js';
import { changesState, isFromOwnPage } from './session/same-origin.js';
import { readSessionCookie } from './session/session-cookie.js';

const wantsPage = ({ method, headers }: FastifyRequest): boolean =>
  (method === 'GET' || method === 'HEAD') && (headers.accept ?? '').includes('text/html');

/**
 * Checks all requests under /admin, and with DOCS=admin those under /docs, whichever route handles them. Only
 * requests of signed-in operators or with the admin key pass; the guard then treats them as requests of an
 * operator.
 */
@Injectable()
export class AdminGate {
  private readonly problems: ProblemFilter;

  constructor(
    private readonly key: AdminKey,
    private readonly sessions: AdminSessions,
    private readonly ended: EndedSessions,
    private readonly throttle: KeyThrottle,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(SERVICE_SETTINGS) private readonly settings: ServiceSettings,
  ) {
    this.problems = new ProblemFilter(logger);
  }

  /** A Fastify hook: calls `next` when the request may pass, and otherwise sends a response. */
  check(request: FastifyRequest, reply: FastifyReply, next: () => void): void {
    const isDocs = isDocsRequest(request);
    if (isDocs ? this.settings.DOCS !== 'admin' : !isAdminRequest(request)) {
      next();
      return;
    }
    void reply.headers({
      'cache-control': 'no-store',
      // With no-referrer, which other routes use, browsers would hide the Origin of our own forms as well.
      'referrer-policy': 'same-origin',
    });
    this.refusalOf(request).then(
      (refusal) => {
        if (!refusal) next();
        else if (refusal.problem.status === 401 && wantsPage(request))
          void reply.redirect(
            // The cookie is not sent to /docs, so that it is not sent to the API either.
            isDocs ? ADMIN_DOCS : `${LOGIN}?next=${encodeURIComponent(request.url)}`,
            303,
          );
        else this.problems.send(refusal, request, reply);
      },
      (error: unknown) => {
        this.problems.send(error, request, reply);
      },
    );
  }

  /** Whether the request has a valid session cookie. */
  async isSignedIn(request: FastifyRequest): Promise<boolean> {
    const session = this.sessionOf(request);
    return session !== undefined && !(await this.ended.has(session));
  }

  /** Ends the session of the request, if it has one, in every process. */
  async signOut(request: FastifyRequest): Promise<void> {
    const session = this.sessionOf(request);
    if (session) await this.ended.end(session);
  }

  /**
   * Returns when the session of an accepted request ends, in milliseconds since 1970, or Infinity for a
   * request with the admin key.
   */
  signedInUntil(request: FastifyRequest): number {
    if (bearerOf(request) !== undefined) return Infinity;
    return this.sessionOf(request)?.endsAt ?? 0;
  }

  /** Whether an accepted request would be accepted again: false once its operator has signed out. */
  async isStillSignedIn(request: FastifyRequest): Promise<boolean> {
    return bearerOf(request) !== undefined || (await this.isSignedIn(request));
  }

  /**
   * Checks a key for the admin pages. Returns the error for a wrong key, 401 or, after too many attempts,
   * 429; undefined when the key is right.
   */
  async refusalOfKey(text: string, request: FastifyRequest): Promise<ProblemError | undefined> {
    const { ip } = request;
    if (this.key.matches(text)) {
      const waitSeconds = this.throttle.adminKey(ip, await this.isSignedIn(request));
      return waitSeconds > 0 ? tooManyWrongKeys(waitSeconds) : undefined;
    }
    const waitSeconds = this.throttle.wrongKey(ip);
    if (waitSeconds > 0) return tooManyWrongKeys(waitSeconds);
    this.logger.warn({ address: ip }, 'sign-in to the admin pages failed: wrong key');
    return loginRequired();
  }

  private sessionOf(request: FastifyRequest): ActiveSession | undefined {
    const proof = readSessionCookie(request);
    return proof === undefined ? undefined : this.sessions.find(proof);
  }

  private async refusalOf(request: FastifyRequest): Promise<ProblemError | undefined> {
    const isForged = changesState(request) && !isFromOwnPage(request);
    if (isOpenRoute(request)) return isForged ? foreignOrigin() : undefined;
    const bearer = bearerOf(request);
    if (bearer !== undefined) {
      const refusal = await this.refusalOfKey(bearer, request);
      if (refusal) return refusal;
    } else {
      if (!(await this.isSignedIn(request))) return loginRequired();
      if (isForged) return foreignOrigin();
    }
    setOperatorRequest(request);
    return undefined;
  }
}
