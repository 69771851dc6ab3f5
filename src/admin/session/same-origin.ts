import type { FastifyRequest } from 'fastify';

const harmless = new Set(['GET', 'HEAD', 'OPTIONS']);

export const changesState = ({ method }: FastifyRequest): boolean => !harmless.has(method);

/**
 * Whether one of our own pages sent the request. Browsers report this in Sec-Fetch-Site on connections that
 * they trust, and in Origin otherwise; scripts cannot set either.
 */
export function isFromOwnPage({ headers, host }: FastifyRequest): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin';
  const { origin } = headers;
  return origin !== undefined && URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
}
