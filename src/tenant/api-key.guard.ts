import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { ACCESS, type Access, bearerOf, isOperatorRequest, setOperatorRequest } from '../http/index.js';
import { contextOf } from '../logging/index.js';
import { AdminKey } from './admin-key.js';
import { hashApiKey, keyIdOf } from './api-key.js';
import { KeyThrottle } from './key-throttle.js';
import { KeyVerifier, type Verdict } from './key-verifier.js';
import { RateLimiter } from './rate-limiter.js';
import { setRequestIdentity } from './request-identity.js';
import {
  adminKeyRequired,
  apiKeyInvalid,
  apiKeyMissing,
  rateLimited,
  tenantInactive,
  tenantKeyRequired,
  tooManyWrongKeys,
} from './tenant.errors.js';

type Handler = ReturnType<ExecutionContext['getHandler']>;
type Controller = ReturnType<ExecutionContext['getClass']>;

/**
 * Checks that the key of a request fits the route (public, admin or tenant), and stores the caller's identity
 * on the request. When the key was verified within the last second, the decision is made synchronously,
 * without a promise.
 * @throws ProblemError 401 without a valid key, 403 with a key of the wrong kind or of an inactive tenant,
 * 429 when the tenant exceeds its rate limit, or after too many wrong keys from the client's address
 */
@Injectable()
export class ApiKeyGuard implements CanActivate {
  /** Caches the decorators' result for each handler of each controller, which never changes. */
  private readonly accesses = new Map<Controller, Map<Handler, Access>>();

  constructor(
    private readonly reflector: Reflector,
    private readonly verifier: KeyVerifier,
    private readonly limiter: RateLimiter,
    private readonly adminKey: AdminKey,
    private readonly throttle: KeyThrottle,
  ) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const access = this.accessOf(context);
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    if (access === 'public') {
      // No key is required, but some public routes return more to operators.
      if (this.isFromOperator(request)) setOperatorRequest(request);
      return true;
    }
    // Requests of operators signed in to the admin pages carry no key.
    if (access === 'admin' && isOperatorRequest(request)) return true;
    const key = bearerOf(request);
    if (key === undefined) throw apiKeyMissing();
    const hash = hashApiKey(key);
    const verdict = this.verifier.remembered(hash);
    if (verdict) return this.admit(request, verdict, access);
    if (this.adminKey.hasHash(hash)) {
      const waitSeconds = this.throttle.adminKey(request.ip);
      if (waitSeconds > 0) throw tooManyWrongKeys(waitSeconds);
      if (access === 'tenant') throw tenantKeyRequired();
      setOperatorRequest(request);
      return true;
    }
    return this.verify(request, key, hash, access);
  }

  /** For public routes, where the admin key could otherwise be guessed without limit. */
  private isFromOperator(request: FastifyRequest): boolean {
    const key = bearerOf(request);
    if (key === undefined) return false;
    if (this.adminKey.matches(key)) return this.throttle.adminKey(request.ip) === 0;
    // Tenants may send their key with every request. It is not verified here, and is no guess of the admin key.
    const isGuess = keyIdOf(key) === undefined && !this.adminKey.isMetricsToken(key);
    if (isGuess) this.throttle.wrongKey(request.ip);
    return false;
  }

  private async verify(request: FastifyRequest, key: string, hash: string, access: Access): Promise<boolean> {
    return this.admit(request, await this.verifier.verify(key, hash), access);
  }

  private admit(request: FastifyRequest, verdict: Verdict, access: Access): boolean {
    if (verdict.outcome === 'unknown') {
      const waitSeconds = this.throttle.wrongKey(request.ip);
      throw waitSeconds > 0 ? tooManyWrongKeys(waitSeconds) : apiKeyInvalid();
    }
    if (verdict.outcome === 'inactive') throw tenantInactive();
    if (access === 'admin') throw adminKeyRequired();
    const { identity } = verdict;
    const { tenantId } = identity;
    const waitSeconds = this.limiter.take(tenantId);
    if (waitSeconds > 0) throw rateLimited(this.limiter.perMinute, waitSeconds);
    setRequestIdentity(request, identity);
    const current = contextOf(request);
    if (current) current.tenantId = tenantId;
    return true;
  }

  private accessOf(context: ExecutionContext): Access {
    const controller = context.getClass();
    const handler = context.getHandler();
    let byHandler = this.accesses.get(controller);
    if (!byHandler) this.accesses.set(controller, (byHandler = new Map<Handler, Access>()));
    let access = byHandler.get(handler);
    if (access === undefined) {
      access =
        this.reflector.getAllAndOverride<Access | undefined>(ACCESS, [handler, controller]) ?? 'tenant';
      byHandler.set(handler, access);
    }
    return access;
  }
}
