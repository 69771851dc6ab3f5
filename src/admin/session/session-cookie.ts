import { fastifyCookie, type SerializeOptions } from '@fastify/cookie';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { SESSION_MS } from './admin-sessions.js';

const NAME = 'colloquy_admin';

/** Secure follows how the client speaks with us, or with the proxy that TRUST_PROXY lets us believe. */
const options = ({ protocol }: FastifyRequest): SerializeOptions => ({
  path: '/admin',
  httpOnly: true,
  sameSite: 'strict',
  secure: protocol === 'https',
});

/** Undefined when the request has none. */
export const readSessionCookie = ({ headers }: FastifyRequest): string | undefined =>
  headers.cookie === undefined ? undefined : fastifyCookie.parse(headers.cookie)[NAME];

export function setSessionCookie(request: FastifyRequest, reply: FastifyReply, proof: string): void {
  const cookie = fastifyCookie.serialize(NAME, proof, { ...options(request), maxAge: SESSION_MS / 1000 });
  void reply.header('set-cookie', cookie);
}

export function clearSessionCookie(request: FastifyRequest, reply: FastifyReply): void {
  void reply.header('set-cookie', fastifyCookie.serialize(NAME, '', { ...options(request), maxAge: 0 }));
}
