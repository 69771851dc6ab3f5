import { AsyncLocalStorage } from 'node:async_hooks';
import type { ApiClient } from '../../../src/cli/index.js';
import { openBenchApp } from '../bench-app.js';
import { MessageCounts } from './message-counts.js';

/** Request header that identifies the counts of a request. The application ignores it. */
const HEADER = 'x-bench-message';

/** The API in this process on a free port, with a count of the database commands of each message. */
export interface CountedApp {
  url: string;
  adminKey: string;
  /** Commands of the application that belong to no message, such as periodic maintenance. */
  outside: MessageCounts;
  /** Sends a message with the client of a tenant. @throws RequestFailure unless the response is 2xx */
  send(api: ApiClient, body: unknown): Promise<MessageCounts>;
  close(): Promise<void>;
}

export async function openCountedApp(env: Readonly<Record<string, string>>): Promise<CountedApp> {
  const current = new AsyncLocalStorage<MessageCounts>();
  const underWay = new Map<string, MessageCounts>();
  const outside = new MessageCounts();
  let listening = false;
  const { app, adminKey } = await openBenchApp(env, (command) => {
    const counts = current.getStore();
    if (counts) counts.add(command);
    else if (listening) outside.add(command);
  });
  // This hook runs after the body was read, since the events of reading do not keep the async context of an
  // earlier hook.
  app
    .getHttpAdapter()
    .getInstance()
    .addHook('preValidation', (request, _reply, done) => {
      const counts = underWay.get(String(request.headers[HEADER]));
      if (counts) current.run(counts, done);
      else done();
    });
  await app.listen(0, '127.0.0.1');
  listening = true;
  let next = 0;
  return {
    url: await app.getUrl(),
    adminKey,
    outside,
    async send(api, body) {
      const id = String(++next);
      const counts = new MessageCounts();
      underWay.set(id, counts);
      try {
        await api.call('POST', '/v1/messages', () => undefined, body, { [HEADER]: id });
        return counts;
      } finally {
        underWay.delete(id);
      }
    },
    close: () => app.close(),
  };
}
