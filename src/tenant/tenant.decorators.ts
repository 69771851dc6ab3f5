import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { requestIdentity } from './request-identity.js';
import type { TenantIdentity } from './tenant.types.js';

/**
 * The tenant whose key was sent with the request, or undefined for an operator. For routes that accept both.
 */
export const TenantOrOperator = createParamDecorator(
  (_data: unknown, context: ExecutionContext): TenantIdentity | undefined =>
    requestIdentity(context.switchToHttp().getRequest<FastifyRequest>()),
);

/**
 * The tenant whose key was sent with the request, as a `TenantIdentity`. Only for routes that require a
 * tenant's key.
 */
export const CurrentTenant = createParamDecorator(
  (_data: unknown, context: ExecutionContext): TenantIdentity => {
    const identity = requestIdentity(context.switchToHttp().getRequest<FastifyRequest>());
    if (!identity) throw new Error('@CurrentTenant() is used on a route that does not require a tenant key');
    return identity;
  },
);
