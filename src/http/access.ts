import { SetMetadata } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';

/** Who may call a route: a tenant with its key (default), the operator with the admin key, either of them, or anyone. */
export type Access = 'tenant' | 'admin' | 'tenant-or-admin' | 'public';

/** Metadata key under which a route or controller declares its `Access`. */
export const ACCESS = 'colloquy:access';

/** No key is asked for. */
export const Public = (): ClassDecorator & MethodDecorator => SetMetadata(ACCESS, 'public' satisfies Access);

/** The admin key is asked for. */
export const AdminOnly = (): ClassDecorator & MethodDecorator =>
  SetMetadata(ACCESS, 'admin' satisfies Access);

/** A tenant's key or the admin key is asked for; what each is told differs. */
export const TenantOrAdmin = (): ClassDecorator & MethodDecorator =>
  SetMetadata(ACCESS, 'tenant-or-admin' satisfies Access);

const operators = new WeakSet<FastifyRequest>();

/** Marks a request as sent by an operator: with the admin key, or signed in on the admin pages. */
export const setOperatorRequest = (request: FastifyRequest): void => {
  operators.add(request);
};

/** On routes of every kind but `tenant`, where the admin key is refused. */
export const isOperatorRequest = (request: FastifyRequest): boolean => operators.has(request);
