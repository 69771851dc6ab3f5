import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';
import type { ViewerStream } from './dashboard-feed.js';

/** Time that a viewer has to take the last of an answer that was ended. */
const LAST_WORDS_MS = 1000;

/** Takes the answer over from Fastify and keeps it open for server-sent events. */
export class HttpViewer implements ViewerStream {
  private readonly raw: ServerResponse;

  constructor(reply: FastifyReply) {
    reply.hijack();
    this.raw = reply.raw;
    // Those of the hooks: policies of the page, request id.
    for (const [name, value] of Object.entries(reply.getHeaders()))
      if (value !== undefined) this.raw.setHeader(name, value);
    this.raw.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      // Proxies that buffer answers would hold these back.
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
    const timer = setTimeout(() => this.raw.destroy(), LAST_WORDS_MS).unref();
    this.raw.once('close', () => {
      clearTimeout(timer);
    });
  }

  destroy(): void {
    this.raw.destroy();
  }
}
