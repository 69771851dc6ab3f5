import type { FastifyRequest } from 'fastify';
import type { TenantIdentity } from './tenant.types.js';

const identities = new WeakMap<FastifyRequest, TenantIdentity>();

export const setRequestIdentity = (request: FastifyRequest, identity: TenantIdentity): void => {
  identities.set(request, identity);
};

export const requestIdentity = (request: FastifyRequest): TenantIdentity | undefined =>
  identities.get(request);
