import type { FastifyRequest } from 'fastify';

export const ADMIN = '/admin';
export const LOGIN = `${ADMIN}/login`;
export const LOGOUT = `${ADMIN}/logout`;
export const DASHBOARD = `${ADMIN}/dashboard`;
export const QUEUES = `${ADMIN}/queues`;
/** Where a sign-in leads that came from nowhere in particular. */
export const START = DASHBOARD;

const isBeneath = (path: string): boolean => path === ADMIN || path.startsWith(`${ADMIN}/`);

const pathOf = (url: string): string => url.split(/[?#]/, 1)[0] ?? '';

/** By the route that was found, however its address was written, and by the address where none was. */
export const isAdminRequest = ({ routeOptions, url }: FastifyRequest): boolean =>
  isBeneath(pathOf(url)) || isBeneath(routeOptions.url ?? '');

/** Routes that need no sign-in, since one signs in or out there. */
export const isOpenRoute = ({ routeOptions }: FastifyRequest): boolean =>
  routeOptions.url === LOGIN || routeOptions.url === LOGOUT;

/** `next` when it leads to a page of this service beneath /admin, else where one starts. */
export function localTarget(next: string | undefined): string {
  const base = 'http://here.invalid';
  if (next === undefined || !URL.canParse(next, base)) return START;
  const { origin, pathname, search } = new URL(next, base);
  if (origin !== base || !isBeneath(pathname) || pathname === LOGIN || pathname === LOGOUT) return START;
  return `${pathname}${search}`;
}
