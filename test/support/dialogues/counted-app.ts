import { AsyncLocalStorage } from 'node:async_hooks';
import type { ApiClient } from '../../../src/cli/index.js';
import { openBenchApp } from '../bench-app.js';
import { MessageCounts } from './message-counts.js';

/** Header by which a request names its counts; nothing else reads it. */
const HEADER = 'x-bench-message';

/** The API in this process on a free port, which tells what each message sent to the database. */
export interface CountedApp {
  url: string;
  adminKey: string;
  /** Commands of the running application that belong to no message, such as its own upkeep. */
  outside: MessageCounts;
  /** Handles a message with a tenant's client. @throws RequestFailure unless it is answered with 2xx */
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
  // After the body was read: its events do not run in the context of an earlier hook.
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
