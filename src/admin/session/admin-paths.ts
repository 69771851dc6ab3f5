import type { FastifyRequest } from 'fastify';

export const ADMIN = '/admin';
export const LOGIN = `${ADMIN}/login`;
export const LOGOUT = `${ADMIN}/logout`;
export const DASHBOARD = `${ADMIN}/dashboard`;
export const QUEUES = `${ADMIN}/queues`;
/** The API description, and the copy of it that browsers can open after a sign-in. */
export const DOCS = '/docs';
export const ADMIN_DOCS = `${ADMIN}/docs`;
/** The page to open after a sign-in that was not caused by a particular page. */
export const START = DASHBOARD;

const isAt = (root: string, path: string): boolean => path === root || path.startsWith(`${root}/`);
const isAdminPath = (path: string): boolean => isAt(ADMIN, path);

const pathOf = (url: string): string => url.split(/[?#]/, 1)[0] ?? '';

/** Checks the matched route, however its URL was written, and also the URL, in case no route matched. */
export const isAdminRequest = ({ routeOptions, url }: FastifyRequest): boolean =>
  isAdminPath(pathOf(url)) || isAdminPath(routeOptions.url ?? '');

/** The same for the API description under /docs. */
export const isDocsRequest = ({ routeOptions, url }: FastifyRequest): boolean =>
  isAt(DOCS, pathOf(url)) || isAt(DOCS, routeOptions.url ?? '');

/** The sign-in and sign-out routes, which do not require a session. */
export const isOpenRoute = ({ routeOptions }: FastifyRequest): boolean =>
  routeOptions.url === LOGIN || routeOptions.url === LOGOUT;

/** Returns `next` if it is a page of this service under /admin, otherwise the start page. */
export function localTarget(next: string | undefined): string {
  const base = 'http://here.invalid';
  if (next === undefined || !URL.canParse(next, base)) return START;
  const { origin, pathname, search } = new URL(next, base);
  if (origin !== base || !isAdminPath(pathname) || pathname === LOGIN || pathname === LOGOUT) return START;
  return `${pathname}${search}`;
}
