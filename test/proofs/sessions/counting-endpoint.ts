import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';

const asked = z.object({ session: z.object({ context: z.record(z.string(), z.unknown()) }) });

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
};

/** The number stored as `count` in the context of a session, or 0 if there is none yet. */
export const countOf = (context: Readonly<Record<string, unknown>>): number => Number(context['count'] ?? 0);

/**
 * A responder endpoint of a tenant, on a free port of 127.0.0.1, that increments `count` in the session
 * context.
 */
export class CountingEndpoint {
  private readonly server = createServer((request, response) => {
    bodyOf(request)
      .then((body) => {
        const { context } = asked.parse(JSON.parse(body)).session;
        const count = countOf(context) + 1;
        this.calls++;
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(
          JSON.stringify({ reply: { content: `Number ${count}.` }, context: { ...context, count } }),
        );
      })
      .catch((error: unknown) => {
        response.writeHead(400).end(String(error));
      });
  });

  /**
   * Number of responses. It exceeds the number of messages, because a message that met a conflict is sent to
   * the responder again.
   */
  calls = 0;

  static async start(): Promise<CountingEndpoint> {
    const endpoint = new CountingEndpoint();
    endpoint.server.listen(0, '127.0.0.1');
    await once(endpoint.server, 'listening');
    return endpoint;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/`;
  }

  async close(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }
}
