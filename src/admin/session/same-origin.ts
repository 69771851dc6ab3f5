import type { FastifyRequest } from 'fastify';

const harmless = new Set(['GET', 'HEAD', 'OPTIONS']);

export const changesState = ({ method }: FastifyRequest): boolean => !harmless.has(method);

/**
 * Whether one of our own pages sent the request. Browsers say so in Sec-Fetch-Site where the connection is trustworthy to them, and
 * in Origin elsewhere; pages can set neither.
 */
export function isFromOwnPage({ headers, host }: FastifyRequest): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin';
  const { origin } = headers;
  return origin !== undefined && URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
}
