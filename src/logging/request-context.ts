import { AsyncLocalStorage } from 'node:async_hooks';

/** Information about the current request or job that is added to log lines and error reports. */
export interface RequestContext {
  requestId: string;
  tenantId?: string;
  /** Route template, never the URL. */
  route?: string;
}

export type RequestContextMode = 'auto' | 'on' | 'off';

const storage = new AsyncLocalStorage<RequestContext>();

let isFollowed = true;

/** The first version of Node that tracks asynchronous contexts without a hook on each promise. */
const FIRST_CHEAP_VERSION = 24;

/**
 * Sets whether `runInContext` makes a context available to the asynchronous code that it runs
 * (REQUEST_CONTEXT). Before Node 24 this costs about a quarter of the main thread for the life of the
 * process, so `auto` disables it there. Code that has access to the request reads its context with
 * `contextOf`, which works in every mode.
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

/** The key under which a request stores its context. */
export const REQUEST_CONTEXT = Symbol('request context');

export const setContextOf = (request: object, context: RequestContext): void => {
  (request as { [REQUEST_CONTEXT]?: RequestContext | null })[REQUEST_CONTEXT] = context;
};

/** Returns the context of a request, or undefined when the HTTP adapter has not set it yet. */
export const contextOf = (request: object): RequestContext | undefined =>
  (request as { [REQUEST_CONTEXT]?: RequestContext | null })[REQUEST_CONTEXT] ?? undefined;
