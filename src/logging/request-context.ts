import { AsyncLocalStorage } from 'node:async_hooks';

/** What is known of the request or job at work; log lines and error reports take it from here. */
export interface RequestContext {
  requestId: string;
  tenantId?: string;
  /** Route template, never the URL. */
  route?: string;
}

export type RequestContextMode = 'auto' | 'on' | 'off';

const storage = new AsyncLocalStorage<RequestContext>();

let isFollowed = true;

/** The first version of Node that follows asynchronous flows without a hook on each promise. */
const FIRST_CHEAP_VERSION = 24;

/**
 * Whether `runInContext` makes a context known to the asynchronous code that it runs (REQUEST_CONTEXT). Before Node 24 that costs about a
 * quarter of the main thread for as long as the process lives, so `auto` leaves it out there. What has the request at hand takes its
 * context from `contextOf` and does not depend on this.
 */
export function setRequestContextMode(
  mode: RequestContextMode,
  nodeVersion: string = process.versions.node,
): void {
  isFollowed = mode === 'on' || (mode === 'auto' && Number.parseInt(nodeVersion, 10) >= FIRST_CHEAP_VERSION);
}

export const runInContext = <T>(context: RequestContext, work: () => T): T =>
  isFollowed ? storage.run(context, work) : work();

export const currentContext = (): RequestContext | undefined => storage.getStore();

/** Key of a request's context on the request itself. */
export const REQUEST_CONTEXT = Symbol('request context');

export const setContextOf = (request: object, context: RequestContext): void => {
  (request as { [REQUEST_CONTEXT]?: RequestContext | null })[REQUEST_CONTEXT] = context;
};

/** The context of a request of the HTTP adapter; undefined for one that it has not begun. */
export const contextOf = (request: object): RequestContext | undefined =>
  (request as { [REQUEST_CONTEXT]?: RequestContext | null })[REQUEST_CONTEXT] ?? undefined;
