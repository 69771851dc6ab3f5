import type { FastifyReply, FastifyRequest } from 'fastify';
import { SESSION_MS } from './admin-sessions.js';

const NAME = 'colloquy_admin';

const given = new RegExp(`(?:^|;)\\s*${NAME}=([^;\\s]*)`);

/** Returns undefined when the request has no session cookie. */
export const readSessionCookie = ({ headers }: FastifyRequest): string | undefined =>
  given.exec(headers.cookie ?? '')?.[1];

/** Sets `Secure` when the client uses HTTPS, as reported by the proxy if TRUST_PROXY is on. */
function write(
  { protocol }: FastifyRequest,
  reply: FastifyReply,
  value: string,
  maxAgeSeconds: number,
): void {
  const attributes = [
    `${NAME}=${value}`,
    'Path=/admin',
    `Max-Age=${maxAgeSeconds}`,
    'HttpOnly',
    'SameSite=Strict',
    ...(protocol === 'https' ? ['Secure'] : []),
  ];
  void reply.header('set-cookie', attributes.join('; '));
}

/** A proof of `AdminSessions` contains no character that has to be encoded. */
export const setSessionCookie = (request: FastifyRequest, reply: FastifyReply, proof: string): void => {
  write(request, reply, proof, SESSION_MS / 1000);
};

export const clearSessionCookie = (request: FastifyRequest, reply: FastifyReply): void => {
  write(request, reply, '', 0);
};
