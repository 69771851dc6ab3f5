// Answers POST /api/embed as Ollama does, after the milliseconds of its argument and whatever the number of texts, with vectors of 768 dimensions made of
// the texts' lengths: what the service does around a model that takes that long.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const DIMENSIONS = 768;
const delayMs = Number(process.argv[2]);

interface EmbedRequest {
  model: string;
  input: string[];
}

const vectorOf = (text: string): number[] =>
  Array.from({ length: DIMENSIONS }, (_, at) => (((text.length + 7) * (at + 3)) % 101) / 101 - 0.5);

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    if (request.url !== '/api/embed') {
      response.end('{"version":"0.0.0"}');
      return;
    }
    const { model, input } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as EmbedRequest;
    const answer = JSON.stringify({ model, embeddings: input.map(vectorOf) });
    setTimeout(() => {
      response.setHeader('content-type', 'application/json');
      response.end(answer);
    }, delayMs);
  });
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  process.send?.({ type: 'listening', url: `http://127.0.0.1:${port}` });
});
process.on('disconnect', () => process.exit(0));
