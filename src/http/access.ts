import { SetMetadata } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { ProblemError } from './problem.js';

/**
 * Who may call a route: a tenant with its key (the default), the operator with the admin key, both, or
 * anyone.
 */
export type Access = 'tenant' | 'admin' | 'tenant-or-admin' | 'public';

/** Metadata key under which a route or controller declares its `Access`. */
export const ACCESS = 'colloquy:access';

/** The route requires no key. */
export const Public = (): ClassDecorator & MethodDecorator => SetMetadata(ACCESS, 'public' satisfies Access);

/** The route requires the admin key. */
export const AdminOnly = (): ClassDecorator & MethodDecorator =>
  SetMetadata(ACCESS, 'admin' satisfies Access);

/** The route requires a tenant's key or the admin key. Operators may receive more details. */
export const TenantOrAdmin = (): ClassDecorator & MethodDecorator =>
  SetMetadata(ACCESS, 'tenant-or-admin' satisfies Access);

/** Metadata key of routes that count as reads. */
export const STORES_NOTHING = 'colloquy:stores-nothing';

/** The route stores nothing, although its method is not GET or DELETE. */
export const StoresNothing = (): MethodDecorator => SetMetadata(STORES_NOTHING, true);

/** Metadata key of routes whose responses are streams. */
export const STREAMED = 'colloquy:streamed';

/**
 * The route sends a stream with back pressure, which holds little memory however long it takes. The route itself
 * limits how many of them a tenant may have.
 */
export const Streamed = (): MethodDecorator => SetMetadata(STREAMED, true);

/** Whether the response of a request is a stream. */
export const isStreamed = ({ routeOptions: { config } }: FastifyRequest): boolean =>
  (config as { isStreamed?: boolean }).isStreamed === true;

/** Whether a request only reads: a GET, or one to a route that stores nothing. */
export const isRead = ({ method, routeOptions: { config } }: FastifyRequest): boolean =>
  method === 'GET' || method === 'HEAD' || (config as { storesNothing?: boolean }).storesNothing === true;

const bearer = /^Bearer +(\S+) *$/i;

/** Returns the key from the `Authorization: Bearer` header. */
export const bearerOf = ({
  headers,
}: {
  headers: { authorization?: string | undefined };
}): string | undefined => bearer.exec(headers.authorization ?? '')?.[1];

const operators = new WeakSet<FastifyRequest>();

/** Marks a request as sent by an operator: with the admin key, or signed in on the admin pages. */
export const setOperatorRequest = (request: FastifyRequest): void => {
  operators.add(request);
};

/** Whether an operator sent the request. Always false on `tenant` routes, which reject the admin key. */
export const isOperatorRequest = (request: FastifyRequest): boolean => operators.has(request);

const refusals = new WeakMap<FastifyRequest, ProblemError>();

/** Keeps why the key of a request to a public route was not checked, for routes that then decide to need one. */
export const setKeyRefusal = (request: FastifyRequest, refusal: ProblemError): void => {
  refusals.set(request, refusal);
};

export const keyRefusalOf = (request: FastifyRequest): ProblemError | undefined => refusals.get(request);
