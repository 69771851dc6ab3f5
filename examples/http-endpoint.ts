import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type Server } from 'node:http';

const isSigned = (secret: string, timestamp: string, body: string, signature: string): boolean => {
  const digest = createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex');
  const expected = Buffer.from(`sha256=${digest}`);
  const given = Buffer.from(signature);
  const isRecent = Math.abs(Date.now() / 1000 - Number(timestamp)) < 300;
  return isRecent && given.length === expected.length && timingSafeEqual(given, expected);
};

/** The content of the message in `body`; undefined when that is no message. */
const contentOf = (body: string): string | undefined => {
  try {
    const { message } = JSON.parse(body) as { message: { content: string } };
    return message.content;
  } catch {
    return undefined;
  }
};

/** An endpoint that greets; it refuses what is not signed with the tenant's secret. */
export const exampleEndpoint = (secret: string): Server =>
  createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8');
      const { 'x-colloquy-timestamp': timestamp = '', 'x-colloquy-signature': signature = '' } =
        request.headers;
      if (!isSigned(secret, String(timestamp), body, String(signature))) {
        response.writeHead(401).end();
        return;
      }
      const content = contentOf(body);
      if (content === undefined) {
        response.writeHead(400).end();
        return;
      }
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ reply: { content: `Hello! You wrote: ${content}` } }));
    });
  });
