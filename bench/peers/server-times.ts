// Preloaded into a service (--import): measures there how long each POST /v1/transcripts takes, from the
// request's headers to the end of its response. Replies to any message of the parent process with the times
// since the previous message.
import { subscribe } from 'node:diagnostics_channel';
import type { IncomingMessage } from 'node:http';
import { isMainThread } from 'node:worker_threads';
import type { ServerTimes } from './transcripts.js';

function measure(): void {
  const begun = new WeakMap<IncomingMessage, number>();
  let serverTimes: number[] = [];
  subscribe('http.server.request.start', (event) => {
    const { request } = event as { request: IncomingMessage };
    if (request.method === 'POST' && request.url === '/v1/transcripts') begun.set(request, performance.now());
  });
  subscribe('http.server.response.finish', (event) => {
    const from = begun.get((event as { request: IncomingMessage }).request);
    if (from !== undefined) serverTimes.push(performance.now() - from);
  });
  process.on('message', () => {
    process.send?.({ serverTimes } satisfies ServerTimes);
    serverTimes = [];
  });
  // The channel must not keep the process of the service running.
  process.channel?.unref();
}

// Worker threads of the service load this module as well, but serve no requests.
if (isMainThread) measure();
