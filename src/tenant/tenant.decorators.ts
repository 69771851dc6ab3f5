import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { requestIdentity } from './request-identity.js';
import type { TenantIdentity } from './tenant.types.js';

/** The tenant whose key came with the request, undefined when it was the admin key; for routes that take either. */
export const TenantOrOperator = createParamDecorator(
  (_data: unknown, context: ExecutionContext): TenantIdentity | undefined =>
    requestIdentity(context.switchToHttp().getRequest<FastifyRequest>()),
);

/** The tenant whose key came with the request, a `TenantIdentity`; only on routes that need a tenant's key. */
export const CurrentTenant = createParamDecorator(
  (_data: unknown, context: ExecutionContext): TenantIdentity => {
    const identity = requestIdentity(context.switchToHttp().getRequest<FastifyRequest>());
    if (!identity) throw new Error('@CurrentTenant() stands on a route that needs no tenant key');
    return identity;
  },
);
