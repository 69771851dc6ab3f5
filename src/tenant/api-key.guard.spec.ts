import type { ExecutionContext } from '@nestjs/common';
import { type DiscoveryService, MetadataScanner, Reflector } from '@nestjs/core';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyRequest } from 'fastify';
import { AdminOnly, isOperatorRequest, ProblemError, Public } from '../http/index.js';
import { contextOf, type Logger, setContextOf } from '../logging/index.js';
import { AdminKey } from './admin-key.js';
import { ApiKeyGuard } from './api-key.guard.js';
import { createApiKey, hashApiKey } from './api-key.js';
import { KeyThrottle } from './key-throttle.js';
import type { KeyVerifier, Verdict } from './key-verifier.js';
import type { Quotas } from './quotas.js';
import { RateLimiter } from './rate-limiter.js';
import { requestIdentity } from './request-identity.js';
import { allFeatures, type TenantIdentity } from './tenant.types.js';

const ADMIN = 'admin-key-of-the-tests';
const identity: TenantIdentity = { tenantId: 'acme', name: 'Acme', plan: 'free', features: allFeatures };

@AdminOnly()
class AdminRoutes {
  admin(this: void): void {}
  @Public()
  open(this: void): void {}
}
class TenantRoutes {
  @RouteConfig({ limit: 5 })
  tenant(this: void): void {}
}

type Route = [controller: new () => object, handler: () => void];
const adminRoute: Route = [AdminRoutes, AdminRoutes.prototype.admin];
const publicRoute: Route = [AdminRoutes, AdminRoutes.prototype.open];
const tenantRoute: Route = [TenantRoutes, TenantRoutes.prototype.tenant];

const requestWith = (authorization?: string, [, handler]: Route = tenantRoute): FastifyRequest =>
  ({
    ip: '192.0.2.1',
    headers: { ...(authorization !== undefined && { authorization }) },
    routeOptions: { config: Reflect.getMetadata(RouteConfig({}).KEY, handler) as unknown },
  }) as FastifyRequest;

const executionOf = (request: FastifyRequest): ExecutionContext =>
  ({ switchToHttp: () => ({ getRequest: () => request }) }) as unknown as ExecutionContext;

const controllers = [AdminRoutes, TenantRoutes].map((metatype) => ({ metatype }));

describe('ApiKeyGuard', () => {
  let verdicts: Record<string, Verdict>;
  const remembered = jest.fn<Verdict | undefined, [hash: string]>();
  const verify = jest.fn((key: string) => Promise.resolve(verdicts[key] ?? { outcome: 'unknown' as const }));
  const check = jest.fn<undefined, Parameters<Quotas['check']>>();
  const addBytes = jest.fn<undefined, Parameters<Quotas['addBytes']>>();
  const guardWith = (perMinute = 0, wrongKeysPerMinute = 0): ApiKeyGuard =>
    new ApiKeyGuard(
      new Reflector(),
      { getControllers: () => controllers } as unknown as DiscoveryService,
      new MetadataScanner(),
      { verify, remembered } as unknown as KeyVerifier,
      new RateLimiter(perMinute, { now: () => 1000 }),
      new AdminKey(ADMIN),
      new KeyThrottle(wrongKeysPerMinute, { now: () => 1000 }, { warn: jest.fn() } as unknown as Logger),
      { check, addBytes } as unknown as Quotas,
    );
  const codeOf = async (route: Route, authorization?: string, guard = guardWith()): Promise<unknown> => {
    try {
      const request = requestWith(authorization, route);
      await guard.authenticate(request);
      return await guard.canActivate(executionOf(request));
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      return `${error.problem.status} ${error.problem.code}`;
    }
  };

  beforeAll(() => {
    guardWith().declareAccess();
  });
  beforeEach(() => {
    verify.mockClear();
    check.mockReset();
    addBytes.mockReset();
    remembered.mockReset();
    verdicts = { good: { outcome: 'valid', identity }, off: { outcome: 'inactive', identity } };
  });

  it.each<[string, Route, string | undefined, unknown]>([
    ['public route, no key', publicRoute, undefined, true],
    ['public route, unknown key', publicRoute, 'Bearer nonsense', true],
    ['tenant route, no key', tenantRoute, undefined, '401 api_key_missing'],
    ['tenant route, other scheme', tenantRoute, 'Basic good', '401 api_key_missing'],
    ['tenant route, scheme without a key', tenantRoute, 'Bearer ', '401 api_key_missing'],
    ['tenant route, two words', tenantRoute, 'Bearer good good', '401 api_key_missing'],
    ['tenant route, unknown key', tenantRoute, 'Bearer nonsense', '401 api_key_invalid'],
    ['tenant route, tenant key', tenantRoute, 'Bearer good', true],
    ['tenant route, scheme in any case', tenantRoute, 'bEARER good', true],
    ['tenant route, key of an inactive tenant', tenantRoute, 'Bearer off', '403 tenant_inactive'],
    ['tenant route, admin key', tenantRoute, `Bearer ${ADMIN}`, '403 tenant_key_required'],
    ['admin route, no key', adminRoute, undefined, '401 api_key_missing'],
    ['admin route, unknown key', adminRoute, 'Bearer nonsense', '401 api_key_invalid'],
    ['admin route, tenant key', adminRoute, 'Bearer good', '403 admin_key_required'],
    ['admin route, admin key', adminRoute, `Bearer ${ADMIN}`, true],
    [
      'admin route, admin key in other case',
      adminRoute,
      `Bearer ${ADMIN.toUpperCase()}`,
      '401 api_key_invalid',
    ],
    [
      'admin route, start of the admin key',
      adminRoute,
      `Bearer ${ADMIN.slice(0, -1)}`,
      '401 api_key_invalid',
    ],
  ])('%s', async (_name, route, authorization, expected) => {
    expect(await codeOf(route, authorization)).toEqual(expected);
  });

  it('keeps the configuration that a route has', () => {
    expect(requestWith().routeOptions.config).toEqual({
      access: 'tenant',
      storesNothing: false,
      isStreamed: false,
      limit: 5,
    });
  });

  it('admits no request to a handler that was not checked', () => {
    expect(() => guardWith().canActivate(executionOf(requestWith('Bearer good')))).toThrow(
      'without a check of its key',
    );
  });

  it('checks the key of a tenant again if its body took long to arrive', async () => {
    const clock = jest.spyOn(performance, 'now').mockReturnValue(1000);
    const guard = guardWith();
    const held = requestWith('Bearer good');
    await guard.authenticate(held);
    verdicts = {};
    clock.mockReturnValue(1999);
    expect(guard.canActivate(executionOf(held))).toBe(true);
    clock.mockReturnValue(2000);
    await expect(guard.canActivate(executionOf(held))).rejects.toMatchObject({
      problem: { status: 401, code: 'api_key_invalid' },
    });
    verdicts = { good: { outcome: 'inactive', identity } };
    await expect(guard.canActivate(executionOf(held))).rejects.toMatchObject({
      problem: { status: 403, code: 'tenant_inactive' },
    });
    verdicts = { good: { outcome: 'valid', identity: { ...identity, plan: 'pro' } } };
    await guard.canActivate(executionOf(held));
    expect(requestIdentity(held)).toMatchObject({ plan: 'pro' });
    clock.mockRestore();
  });

  it('ignores routes that are not handlers of a controller', () => {
    const request = { headers: {}, routeOptions: { config: {} } } as unknown as FastifyRequest;
    expect(guardWith().authenticate(request)).toBeUndefined();
  });

  it('does not query the database for the admin key or for public routes', async () => {
    await codeOf(adminRoute, `Bearer ${ADMIN}`);
    await codeOf(publicRoute, 'Bearer good');
    expect(verify).not.toHaveBeenCalled();
  });

  describe('after too many wrong keys from one address', () => {
    const codesOf = async (guard: ApiKeyGuard, route: Route, ...keys: string[]): Promise<unknown[]> => {
      const codes: unknown[] = [];
      for (const key of keys) codes.push(await codeOf(route, `Bearer ${key}`, guard));
      return codes;
    };

    it('responds 429 to unknown keys and to the admin key alike, and accepts the keys of tenants', async () => {
      const guard = guardWith(0, 2);
      expect(await codesOf(guard, adminRoute, 'guess-1', 'guess-2', 'guess-3', ADMIN)).toEqual([
        '401 api_key_invalid',
        '401 api_key_invalid',
        '429 too_many_wrong_keys',
        '429 too_many_wrong_keys',
      ]);
      expect(await codesOf(guard, tenantRoute, 'good', 'guess-4', 'good')).toEqual([
        true,
        '429 too_many_wrong_keys',
        true,
      ]);
    });

    it('accepts the admin key if it was accepted from this address before', async () => {
      const guard = guardWith(0, 1);
      expect(await codesOf(guard, adminRoute, ADMIN, 'guess-1', 'guess-2', ADMIN)).toEqual([
        true,
        '401 api_key_invalid',
        '429 too_many_wrong_keys',
        true,
      ]);
    });

    it('does not treat the admin key as that of an operator on public routes either', async () => {
      const guard = guardWith(0, 1);
      const isOperator = async (): Promise<boolean> => {
        const request = requestWith(`Bearer ${ADMIN}`, publicRoute);
        await guard.authenticate(request);
        expect(guard.canActivate(executionOf(request))).toBe(true);
        return isOperatorRequest(request);
      };
      // A tenant's key is no guess of the admin key, and public routes do not verify it.
      expect(await codesOf(guard, publicRoute, createApiKey().text, 'guess-1')).toEqual([true, true]);
      expect(await isOperator()).toBe(false);
      expect(await codesOf(guard, publicRoute, 'guess-2', 'good')).toEqual([true, true]);
    });
  });

  it('stores the identity on the request, and the tenant in its context', async () => {
    const request = requestWith('Bearer good');
    setContextOf(request, { requestId: 'r1' });
    await guardWith().authenticate(request);
    expect(contextOf(request)?.tenantId).toBe('acme');
    expect(requestIdentity(request)).toEqual(identity);
  });

  it.each<[string, Route, Verdict, unknown]>([
    ['tenant route, tenant key', tenantRoute, { outcome: 'valid', identity }, true],
    ['tenant route, inactive tenant', tenantRoute, { outcome: 'inactive', identity }, '403 tenant_inactive'],
    ['admin route, tenant key', adminRoute, { outcome: 'valid', identity }, '403 admin_key_required'],
  ])('decides immediately from a cached verdict: %s', async (_name, route, verdict, expected) => {
    remembered.mockImplementation((hash) => (hash === hashApiKey('hot') ? verdict : undefined));
    expect(await codeOf(route, 'Bearer hot')).toBe(expected);
    expect(verify).not.toHaveBeenCalled();
  });

  it('returns no promise when the verdict is cached', () => {
    remembered.mockReturnValue({ outcome: 'valid', identity });
    const request = requestWith('Bearer hot');
    expect(guardWith().authenticate(request)).toBeUndefined();
    expect(requestIdentity(request)).toBe(identity);
  });

  it('responds 429 with Retry-After when the tenant exceeds its rate, but never to the admin', async () => {
    const guard = guardWith(2);
    expect(await codeOf(tenantRoute, 'Bearer good', guard)).toBe(true);
    expect(await codeOf(tenantRoute, 'Bearer good', guard)).toBe(true);
    await expect(guard.authenticate(requestWith('Bearer good'))).rejects.toMatchObject({
      problem: { status: 429, code: 'rate_limited', retryAfterSeconds: 30 },
    });
    for (let i = 0; i < 5; i++) expect(await codeOf(adminRoute, `Bearer ${ADMIN}`, guard)).toBe(true);
  });

  it('checks the quota of requests that may store something, and adds the size of their body when it was read', async () => {
    verdicts = { key: { outcome: 'valid', identity } };
    const guard = guardWith();
    const send = async (method: string, bytes: number, config?: object): Promise<void> => {
      const { routeOptions, ...request } = requestWith('Bearer key');
      const merged = { routeOptions: { config: { ...routeOptions.config, ...config } } };
      const headers = { ...request.headers, 'content-length': String(bytes) };
      const sent = Object.assign(request, { method, headers }, merged) as FastifyRequest;
      await guard.authenticate(sent);
      expect(addBytes).toHaveBeenCalledTimes(0);
      await guard.canActivate(executionOf(sent));
    };
    for (const method of ['GET', 'HEAD', 'DELETE']) await send(method, 7);
    await send('POST', 7, { storesNothing: true });
    expect(check).not.toHaveBeenCalled();
    await send('PATCH', 7);
    expect(check.mock.calls).toEqual([[identity]]);
    expect(addBytes.mock.calls).toEqual([[identity, 7]]);
    addBytes.mockClear();
    check.mockImplementationOnce(() => {
      throw new Error('used up');
    });
    await expect(send('PUT', 7)).rejects.toThrow('used up');
    expect(addBytes).not.toHaveBeenCalled();
  });
});
