import { AsyncLocalStorage } from 'node:async_hooks';

/** What is known of the request or job at work; log lines and error reports take it from here. */
export interface RequestContext {
  requestId: string;
  tenantId?: string;
  /** Route template, never the URL. */
  route?: string;
  /** Commands that were sent to the database for it; absent while they are not counted. */
  databaseRoundTrips?: number;
}

const storage = new AsyncLocalStorage<RequestContext>();

/** Key of a request's context on the request itself, for what runs outside of its asynchronous flow. */
export const REQUEST_CONTEXT = Symbol('request context');

export const runInContext = <T>(context: RequestContext, work: () => T): T => storage.run(context, work);

/** Makes `context` current for the rest of the present asynchronous flow. */
export const enterContext = (context: RequestContext): void => storage.enterWith(context);

export const currentContext = (): RequestContext | undefined => storage.getStore();

export const setContextOf = (request: object, context: RequestContext): void => {
  (request as { [REQUEST_CONTEXT]?: RequestContext | null })[REQUEST_CONTEXT] = context;
};

/** The context of a request of the HTTP adapter; undefined for one that it has not begun. */
export const contextOf = (request: object): RequestContext | undefined =>
  (request as { [REQUEST_CONTEXT]?: RequestContext | null })[REQUEST_CONTEXT] ?? undefined;
