import type { FastifyRequest } from 'fastify';
import type { TenantIdentity } from './tenant.types.js';

const bearer = /^Bearer +(\S+) *$/i;

/** Returns the key from the `Authorization: Bearer` header. */
export const bearerOf = ({
  headers,
}: {
  headers: { authorization?: string | undefined };
}): string | undefined => bearer.exec(headers.authorization ?? '')?.[1];

const IDENTITY = Symbol('identity of the request');

interface Identified {
  [IDENTITY]?: TenantIdentity;
}

export const setRequestIdentity = (request: FastifyRequest, identity: TenantIdentity): void => {
  (request as Identified)[IDENTITY] = identity;
};

export const requestIdentity = (request: FastifyRequest): TenantIdentity | undefined =>
  (request as Identified)[IDENTITY];

const operators = new WeakSet<FastifyRequest>();

/**
 * Marks a request as sent by an operator who was authenticated by other means than the guard. Routes that
 * require the admin key accept it.
 */
export const setOperatorRequest = (request: FastifyRequest): void => {
  operators.add(request);
};

export const isOperatorRequest = (request: FastifyRequest): boolean => operators.has(request);
