import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { ACCESS, type Access, currentContext } from '../common/index.js';
import { hashApiKey, sameHash } from './api-key.js';
import { KeyVerifier } from './key-verifier.js';
import { RateLimiter } from './rate-limiter.js';
import { setRequestIdentity } from './request-identity.js';
import {
  adminKeyRequired,
  apiKeyInvalid,
  apiKeyMissing,
  rateLimited,
  tenantInactive,
  tenantKeyRequired,
} from './tenant.errors.js';
import { ADMIN_API_KEY_VALUE } from './tenant.tokens.js';
import type { TenantIdentity } from './tenant.types.js';

const bearer = /^Bearer +(\S+) *$/i;

/**
 * Lets a request through to a route of its kind (public, admin, tenant) and tells the route whose request it is.
 * @throws ProblemError 401 without a valid key, 403 with a key of the other kind or of an inactive tenant, 429 over the rate
 */
@Injectable()
export class ApiKeyGuard implements CanActivate {
  private readonly adminHash: string;

  constructor(
    private readonly reflector: Reflector,
    private readonly verifier: KeyVerifier,
    private readonly limiter: RateLimiter,
    @Inject(ADMIN_API_KEY_VALUE) adminApiKey: string,
  ) {
    this.adminHash = hashApiKey(adminApiKey);
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const access =
      this.reflector.getAllAndOverride<Access | undefined>(ACCESS, [
        context.getHandler(),
        context.getClass(),
      ]) ?? 'tenant';
    if (access === 'public') return true;
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const key = bearer.exec(request.headers.authorization ?? '')?.[1];
    if (key === undefined) throw apiKeyMissing();
    if (sameHash(hashApiKey(key), this.adminHash)) {
      if (access !== 'admin') throw tenantKeyRequired();
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
