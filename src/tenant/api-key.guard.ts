import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { DiscoveryService, MetadataScanner, Reflector } from '@nestjs/core';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyRequest } from 'fastify';
import {
  ACCESS,
  type Access,
  bearerOf,
  bodyBytesOf,
  isOperatorRequest,
  isRead,
  setKeyRefusal,
  setOperatorRequest,
  STORES_NOTHING,
  STREAMED,
} from '../http/index.js';
import { contextOf } from '../logging/index.js';
import { AdminKey } from './admin-key.js';
import { hashApiKey, keyIdOf } from './api-key.js';
import { KeyThrottle } from './key-throttle.js';
import { KeyVerifier, type Verdict } from './key-verifier.js';
import { Quotas } from './quotas.js';
import { RateLimiter } from './rate-limiter.js';
import { requestIdentity, setRequestIdentity } from './request-identity.js';
import {
  adminKeyRequired,
  apiKeyInvalid,
  apiKeyMissing,
  rateLimited,
  tenantInactive,
  tenantKeyRequired,
  tooManyWrongKeys,
} from './tenant.errors.js';

/** Metadata key under which Nest finds the configuration of a handler's Fastify route. */
const ROUTE_CONFIG: unknown = RouteConfig({}).KEY;

/** The time at which the request was admitted. */
const ADMITTED = Symbol('the request was admitted');

/** How long a verification of a key counts, in every process. */
const MAX_DECISION_AGE_MS = 1000;

/** Checks that the key of a request fits the route (public, admin or tenant), before its body is read. */
@Injectable()
export class ApiKeyGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly verifier: KeyVerifier,
    private readonly limiter: RateLimiter,
    private readonly adminKey: AdminKey,
    private readonly throttle: KeyThrottle,
    private readonly quotas: Quotas,
  ) {}

  /**
   * Writes the access of every handler into the configuration of its route, where `authenticate` reads it.
   * Must be called before the routes are registered.
   */
  declareAccess(): void {
    for (const { metatype } of this.discovery.getControllers()) {
      if (typeof metatype !== 'function') continue;
      const prototype = metatype.prototype as Record<string, () => unknown>;
      for (const name of this.scanner.getAllMethodNames(prototype)) {
        const handler = prototype[name];
        if (!handler) continue;
        const access =
          this.reflector.getAllAndOverride<Access | undefined>(ACCESS, [handler, metatype]) ?? 'tenant';
        const config = Reflect.getMetadata(ROUTE_CONFIG, handler) as object | undefined;
        const storesNothing = this.reflector.get<true | undefined>(STORES_NOTHING, handler) ?? false;
        const isStreamed = this.reflector.get<true | undefined>(STREAMED, handler) ?? false;
        Reflect.defineMetadata(ROUTE_CONFIG, { ...config, access, storesNothing, isStreamed }, handler);
      }
    }
  }

  /**
   * Decides about a request from its headers, in a hook that runs before the body is read, and stores the
   * caller's identity on the request. When the key was verified within the last second, it decides
   * synchronously, without a promise. Requests to routes that are not handlers of a controller, such as the
   * admin pages, are not its concern.
   * @throws ProblemError 401 without a valid key, 403 with a key of the wrong kind or of an inactive tenant,
   * 429 when the tenant exceeds its rate limit, or after too many wrong keys from the client's address, 507 when it
   * exceeds its quota
   */
  authenticate(request: FastifyRequest): undefined | Promise<void> {
    const { access } = request.routeOptions.config as { access?: Access };
    if (access === undefined) return undefined;
    const decision = this.decide(request, access);
    if (decision) return decision.then(() => admitted(request));
    admitted(request);
    return undefined;
  }

  /**
   * Relies on what `authenticate` decided. If the body took longer than a second to arrive, the tenant's key is
   * checked again, because it may have been revoked.
   * @throws ProblemError 401 or 403 if the key is no longer valid
   */
  canActivate(context: ExecutionContext): true | Promise<true> {
    const request = context.switchToHttp().getRequest<FastifyRequest & { [ADMITTED]?: number }>();
    const { [ADMITTED]: admittedAt } = request;
    if (admittedAt === undefined)
      throw new Error('The request reached its handler without a check of its key.');
    const identity = requestIdentity(request);
    if (identity && mayStore(request)) this.quotas.addBytes(identity, bodyBytesOf(request));
    if (performance.now() - admittedAt < MAX_DECISION_AGE_MS) return true;
    return this.checkAgain(request).then(() => true);
  }

  private async checkAgain(request: FastifyRequest): Promise<void> {
    const { access } = request.routeOptions.config as { access?: Access };
    const key = bearerOf(request);
    if (access === 'public' || isOperatorRequest(request) || key === undefined) return;
    const verdict = await this.verifier.verify(key, hashApiKey(key));
    if (verdict.outcome === 'unknown') throw apiKeyInvalid();
    if (verdict.outcome === 'inactive') throw tenantInactive();
    setRequestIdentity(request, verdict.identity);
  }

  private decide(request: FastifyRequest, access: Access): undefined | Promise<void> {
    if (access === 'public') {
      // No key is required, but some public routes return more to operators.
      if (this.isFromOperator(request)) setOperatorRequest(request);
      return undefined;
    }
    // Requests of operators signed in to the admin pages carry no key.
    if (access === 'admin' && isOperatorRequest(request)) return undefined;
    const key = bearerOf(request);
    if (key === undefined) throw apiKeyMissing();
    const hash = hashApiKey(key);
    const verdict = this.verifier.remembered(hash);
    if (verdict) {
      this.admit(request, verdict, access);
      return undefined;
    }
    if (this.adminKey.hasHash(hash)) {
      const waitSeconds = this.throttle.adminKey(request.ip);
      if (waitSeconds > 0) throw tooManyWrongKeys(waitSeconds);
      if (access === 'tenant') throw tenantKeyRequired();
      setOperatorRequest(request);
      return undefined;
    }
    return this.verify(request, key, hash, access);
  }

  /** For public routes, where the admin key could otherwise be guessed without limit. */
  private isFromOperator(request: FastifyRequest): boolean {
    const key = bearerOf(request);
    if (key === undefined) return false;
    let waitSeconds = 0;
    if (this.adminKey.matches(key)) {
      waitSeconds = this.throttle.adminKey(request.ip);
      if (waitSeconds === 0) return true;
    } else if (keyIdOf(key) === undefined && !this.adminKey.isMetricsToken(key))
      // Tenants may send their key with every request. It is not verified here, and is no guess of the admin key.
      waitSeconds = this.throttle.wrongKey(request.ip);
    // Only the routes that need the key refuse the request.
    if (waitSeconds > 0) setKeyRefusal(request, tooManyWrongKeys(waitSeconds));
    return false;
  }

  private async verify(request: FastifyRequest, key: string, hash: string, access: Access): Promise<void> {
    this.admit(request, await this.verifier.verify(key, hash), access);
  }

  private admit(request: FastifyRequest, verdict: Verdict, access: Access): void {
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
    if (mayStore(request)) this.quotas.check(identity);
    setRequestIdentity(request, identity);
    const current = contextOf(request);
    if (current) current.tenantId = tenantId;
  }
}

const mayStore = (request: FastifyRequest): boolean => !isRead(request) && request.method !== 'DELETE';

function admitted(request: FastifyRequest): void {
  (request as { [ADMITTED]?: number })[ADMITTED] = performance.now();
}
