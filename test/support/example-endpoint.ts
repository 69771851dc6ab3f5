import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type Server } from 'node:http';

const isSigned = (secret: string, timestamp: string, body: string, signature: string): boolean => {
  const expected = `sha256=${createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')}`;
  const isRecent = Math.abs(Date.now() / 1000 - Number(timestamp)) < 300;
  return (
    isRecent &&
    signature.length === expected.length &&
    timingSafeEqual(Buffer.from(signature), Buffer.from(expected))
  );
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
      const { message } = JSON.parse(body) as { message: { content: string } };
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ reply: { content: `Hello! You wrote: ${message.content}` } }));
    });
  });
