import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { ACCESS, type Access, currentContext } from '../common/index.js';
import { AdminKey } from './admin-key.js';
import { KeyVerifier } from './key-verifier.js';
import { RateLimiter } from './rate-limiter.js';
import { bearerOf, isOperatorRequest, setRequestIdentity } from './request-identity.js';
import {
  adminKeyRequired,
  apiKeyInvalid,
  apiKeyMissing,
  rateLimited,
  tenantInactive,
  tenantKeyRequired,
} from './tenant.errors.js';
import type { TenantIdentity } from './tenant.types.js';

/**
 * Lets a request through to a route of its kind (public, admin, tenant) and tells the route whose request it is.
 * @throws ProblemError 401 without a valid key, 403 with a key of the other kind or of an inactive tenant, 429 over the rate
 */
@Injectable()
export class ApiKeyGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly verifier: KeyVerifier,
    private readonly limiter: RateLimiter,
    private readonly adminKey: AdminKey,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const access =
      this.reflector.getAllAndOverride<Access | undefined>(ACCESS, [
        context.getHandler(),
        context.getClass(),
      ]) ?? 'tenant';
    if (access === 'public') return true;
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    // Signed in on the admin pages, where no key comes with the request.
    if (access === 'admin' && isOperatorRequest(request)) return true;
    const key = bearerOf(request);
    if (key === undefined) throw apiKeyMissing();
    if (this.adminKey.matches(key)) {
      if (access === 'tenant') throw tenantKeyRequired();
      return true;
    }
    const identity = await this.identify(key);
    if (access === 'admin') throw adminKeyRequired();
    this.admit(request, identity);
    return true;
  }

  private async identify(key: string): Promise<TenantIdentity> {
    const verdict = await this.verifier.verify(key);
    if (verdict.outcome === 'unknown') throw apiKeyInvalid();
    if (verdict.outcome === 'inactive') throw tenantInactive();
    return verdict.identity;
  }

  private admit(request: FastifyRequest, identity: TenantIdentity): void {
    const waitSeconds = this.limiter.take(identity.tenantId);
    if (waitSeconds > 0) throw rateLimited(this.limiter.perMinute, waitSeconds);
    setRequestIdentity(request, identity);
    const current = currentContext();
    if (current) current.tenantId = identity.tenantId;
  }
}
