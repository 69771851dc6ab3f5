// Loaded before a service (--import): measures there how long each POST /v1/transcripts takes, from its head to the end of its answer.
// Any message of the parent process is replied to with the times since the message before.
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
  // Only the service itself decides when its process ends.
  process.channel?.unref();
}

// The threads of the service load this module as well, and have no requests.
if (isMainThread) measure();
