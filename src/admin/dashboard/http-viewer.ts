import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';
import type { ViewerStream } from './dashboard-feed.js';

/** How long a viewer has to read the rest of a response after its end, in milliseconds. */
const END_GRACE_MS = 1000;

/** Takes over the response from Fastify and keeps it open for server-sent events. */
export class HttpViewer implements ViewerStream {
  private readonly raw: ServerResponse;

  constructor(reply: FastifyReply) {
    reply.hijack();
    this.raw = reply.raw;
    // Headers set by hooks: content security policy, request id.
    for (const [name, value] of Object.entries(reply.getHeaders()))
      if (value !== undefined) this.raw.setHeader(name, value);
    this.raw.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      // Prevents proxies from buffering the events.
      'x-accel-buffering': 'no',
    });
    this.raw.flushHeaders();
  }

  get pendingBytes(): number {
    return this.raw.writableLength;
  }

  onGone(listener: () => void): void {
    this.raw.once('close', listener);
  }

  write(text: string): void {
    if (!this.raw.writableEnded && !this.raw.destroyed) this.raw.write(text);
  }

  end(): void {
    this.raw.end();
    const timer = setTimeout(() => this.raw.destroy(), END_GRACE_MS).unref();
    this.raw.once('close', () => {
      clearTimeout(timer);
    });
  }

  destroy(): void {
    this.raw.destroy();
  }
}
