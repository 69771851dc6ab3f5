// Responds to POST /api/embed like Ollama, after the number of milliseconds in its argument and however many
// texts there are, with vectors of 768 dimensions derived from the lengths of the texts. This measures what
// the service does around a model with that latency.
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
