import type { FastifyRequest } from 'fastify';
import type { TenantIdentity } from './tenant.types.js';

const IDENTITY = Symbol('identity of the request');

interface Identified {
  [IDENTITY]?: TenantIdentity;
}

export const setRequestIdentity = (request: FastifyRequest, identity: TenantIdentity): void => {
  (request as Identified)[IDENTITY] = identity;
};

export const requestIdentity = (request: FastifyRequest): TenantIdentity | undefined =>
  (request as Identified)[IDENTITY];
