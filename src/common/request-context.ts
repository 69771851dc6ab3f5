import { AsyncLocalStorage } from 'node:async_hooks';

/** What is known of the request or job at work; log lines and error reports take it from here. */
export interface RequestContext {
  requestId: string;
  tenantId?: string;
  /** Route template, never the URL. */
  route?: string;
}

const storage = new AsyncLocalStorage<RequestContext>();

export const runInContext = <T>(context: RequestContext, work: () => T): T => storage.run(context, work);

/** Makes `context` current for the rest of the present asynchronous flow. */
export const enterContext = (context: RequestContext): void => storage.enterWith(context);

export const currentContext = (): RequestContext | undefined => storage.getStore();
