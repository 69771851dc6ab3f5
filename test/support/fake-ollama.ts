import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FakeOllama {
  /** Settings with which an application uses this server for embeddings. */
  settings: Readonly<Record<string, string>>;
  /**
   * A call with a text that contains this string is rejected permanently (400). Undefined: no call is
   * rejected.
   */
  refused: string | undefined;
  /**
   * A call with a text that contains this string fails (500). The empty string makes every call fail, as in
   * an outage.
   */
  broken: string | undefined;
  /** Delays all calls from now on until `release`. */
  hold(): void;
  /** Answers the delayed calls, and later ones immediately. */
  release(): void;
  /** Resolves when a call is being delayed. */
  held(): Promise<void>;
  close(): Promise<void>;
}

const DIMENSIONS = 32;

/** Counts the words by their hash, so that the same words give the same vector. */
function vectorOf(text: string): number[] {
  const vector = new Array<number>(DIMENSIONS).fill(0);
  for (const word of text.toLowerCase().split(/\W+/).filter(Boolean)) {
    let hash = 7;
    for (const char of word) hash = (hash * 31 + char.charCodeAt(0)) % 65_521;
    vector[hash % DIMENSIONS] = (vector[hash % DIMENSIONS] ?? 0) + 1;
  }
  return vector;
}

async function bodyOf(request: IncomingMessage): Promise<{ input?: string[] }> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return chunks.length === 0 ? {} : (JSON.parse(Buffer.concat(chunks).toString()) as { input?: string[] });
}

/** Starts a fake embedding service on a free port, which can delay its responses. */
export async function startFakeOllama(): Promise<FakeOllama> {
  let gate: Promise<void> | undefined;
  let open: () => void = () => undefined;
  let waiting = 0;
  let onWaiting: (() => void)[] = [];

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { input = [] } = await bodyOf(request);
    if (gate && request.method === 'POST') {
      waiting++;
      for (const resolve of onWaiting) resolve();
      onWaiting = [];
      await gate;
      waiting--;
    }
    const { refused, broken } = fake;
    const isRefused = refused !== undefined && input.some((text) => text.includes(refused));
    const isBroken = broken !== undefined && input.some((text) => text.includes(broken));
    const status = isBroken ? 500 : isRefused ? 400 : 200;
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(status === 200 ? { embeddings: input.map(vectorOf) } : { error: 'refused' }));
  };
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;

  const fake: FakeOllama = {
    settings: { EMBEDDER: 'ollama', OLLAMA_URL: `http://127.0.0.1:${port}`, EMBEDDING_ATTEMPTS: '1' },
    refused: undefined,
    broken: undefined,
    hold() {
      gate = new Promise((resolve) => (open = resolve));
    },
    release() {
      gate = undefined;
      open();
    },
    held: () => (waiting > 0 ? Promise.resolve() : new Promise((resolve) => onWaiting.push(resolve))),
    async close() {
      fake.release();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return fake;
}
