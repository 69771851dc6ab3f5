import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EmbeddingError } from './embedder.js';
import { OllamaEmbedder, type OllamaEmbedderOptions } from './ollama.embedder.js';
import { OpenAiEmbedder } from './openai.embedder.js';

interface Received {
  path: string;
  authorization: string | undefined;
  body: { model?: string; input?: string[]; encoding_format?: string };
}

const json = (
  response: ServerResponse,
  body: unknown,
  status = 200,
  headers: Record<string, string> = {},
): void => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
};

/** Vectors that identify their text: [its length, 1]. */
const vectors = (input: string[] = []): number[][] => input.map((text) => [text.length, 1]);

describe('remote embedders', () => {
  let server: Server;
  let url: string;
  let received: Received[];
  let answer: (response: ServerResponse, received: Received, nth: number) => void;
  const embedders: { stop: () => Promise<void> }[] = [];

  const keep = <T extends { stop: () => Promise<void> }>(embedder: T): T => {
    embedders.push(embedder);
    return embedder;
  };
  const options = { timeoutMs: 5000, attempts: 3, concurrency: 2, batchSize: 2 };
  const backoff = { baseMs: 1, maxMs: 2, jitter: 0 };
  const ollama = (more: Partial<OllamaEmbedderOptions> = {}): OllamaEmbedder =>
    keep(new OllamaEmbedder({ ...options, backoff, url, model: 'nomic-embed-text', ...more }));
  const openAi = (): OpenAiEmbedder =>
    keep(
      new OpenAiEmbedder({
        ...options,
        backoff,
        url: `${url}/v1/`,
        apiKey: 'sk-very-secret',
        model: 'small',
      }),
    );

  beforeAll(async () => {
    server = createServer((request: IncomingMessage, response) => {
      let text = '';
      request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      request.on('end', () => {
        const body = JSON.parse(text || '{}') as Received['body'];
        const one = { path: request.url ?? '', authorization: request.headers.authorization, body };
        received.push(one);
        answer(response, one, received.length);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  beforeEach(() => {
    received = [];
    answer = (response, { body }) => json(response, { embeddings: vectors(body.input) });
  });

  afterEach(async () => {
    await Promise.all(embedders.splice(0).map((embedder) => embedder.stop()));
  });

  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const failure = async (work: Promise<unknown>): Promise<EmbeddingError> => {
    const error: unknown = await work.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(EmbeddingError);
    return error as EmbeddingError;
  };

  it('calls Ollama in batches and returns the vectors in order, normalized to length 1', async () => {
    const embedder = ollama();
    expect(embedder.dimensions).toBeUndefined();
    const result = await embedder.embed(['a', 'bb', 'ccc']);
    expect(result.map(([x, y]) => Math.round((x ?? 0) / (y ?? 1)))).toEqual([1, 2, 3]);
    for (const vector of result) expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
    expect(embedder.dimensions).toBe(2);
    expect(received.map(({ path }) => path)).toEqual(['/api/embed', '/api/embed']);
    expect(received.map(({ body }) => body)).toEqual(
      expect.arrayContaining([
        { model: 'nomic-embed-text', input: ['a', 'bb'] },
        { model: 'nomic-embed-text', input: ['ccc'] },
      ]),
    );
  });

  it('makes no call if there are no texts', async () => {
    expect(await ollama().embed([])).toEqual([]);
    expect(received).toEqual([]);
  });

  it('calls an OpenAI-compatible service with the key, and sorts by index', async () => {
    answer = (response, { body }) =>
      json(response, {
        data: vectors(body.input)
          .map((embedding, index) => ({ index, embedding }))
          .reverse(),
      });
    const result = await openAi().embed(['a', 'bb']);
    expect(result.map(([x, y]) => Math.round((x ?? 0) / (y ?? 1)))).toEqual([1, 2]);
    expect(received).toEqual([
      {
        path: '/v1/embeddings',
        authorization: 'Bearer sk-very-secret',
        body: { model: 'small', input: ['a', 'bb'], encoding_format: 'float' },
      },
    ]);
  });

  it('names the model that must be pulled, and does not retry', async () => {
    answer = (response) => json(response, { error: 'model not found' }, 404);
    const error = await failure(ollama().embed(['a']));
    expect(error.message).toContain('ollama pull nomic-embed-text');
    expect(error.retryable).toBe(false);
    expect(received).toHaveLength(1);
  });

  it('includes neither key nor text in the error if the key is rejected', async () => {
    answer = (response) => json(response, { error: 'sk-very-secret: my text' }, 401);
    const error = await failure(openAi().embed(['my text']));
    expect(error.retryable).toBe(false);
    expect(error.message).toContain('OPENAI_API_KEY');
    expect(error.message).not.toMatch(/secret|my text/);
  });

  it.each([
    ['too few vectors', { embeddings: [[1, 2]] }, /1 vectors for 2 texts/],
    ['vectors of several dimensions', { embeddings: [[1, 2], [1]] }, /1 dimensions instead of 2/],
    ['a number that exceeds 32-bit floats', { embeddings: [[1, 2], [1e300, 1]] }, /not finite/], // prettier-ignore
    ['no numbers', { embeddings: [['x'], ['y']] }, /unexpected format/],
    ['something else', { ok: true }, /unexpected format/],
  ])('rejects a response with %s', async (_, body, message) => {
    answer = (response) => json(response, body);
    const error = await failure(ollama().embed(['a', 'bb']));
    expect(error.message).toMatch(message);
    expect(error.retryable).toBe(false);
  });

  it('rejects a missing or duplicate index', async () => {
    answer = (response) =>
      json(response, { data: [{ index: 0, embedding: [1] }, { index: 0, embedding: [2] }] }); // prettier-ignore
    expect((await failure(openAi().embed(['a', 'bb']))).message).toMatch(/unexpected format/);
  });

  it('rejects a response that is not JSON without quoting it', async () => {
    answer = (response) => response.end('a text of somebody');
    const error = await failure(ollama().embed(['a']));
    expect(error.message).toMatch(/not JSON/);
    expect(String(error.cause)).not.toContain('somebody');
  });

  it('retries after 5xx, 429 and a broken connection', async () => {
    answer = (response, { body }, nth) => {
      if (nth === 1) json(response, {}, 503);
      else if (nth === 2) json(response, {}, 429, { 'retry-after': '0' });
      else if (nth === 3) response.destroy();
      else json(response, { embeddings: vectors(body.input) });
    };
    expect(await ollama({ attempts: 4 }).embed(['a'])).toHaveLength(1);
    expect(received).toHaveLength(4);
  });

  it('gives up after the configured number of attempts with a retryable error', async () => {
    answer = (response) => json(response, {}, 500);
    const error = await failure(ollama().embed(['a']));
    expect(error.retryable).toBe(true);
    expect(error.message).toContain('500');
    expect(received).toHaveLength(3);
  });

  it('stops an attempt after the timeout', async () => {
    answer = () => undefined;
    const error = await failure(ollama({ timeoutMs: 300, attempts: 2 }).embed(['a']));
    expect(error).toMatchObject({
      retryable: true,
      message: expect.stringContaining('within 300 ms') as string,
    });
    expect(received).toHaveLength(2);
  });

  it('stops immediately when it is aborted during a call or while it waits for the next attempt', async () => {
    const during = new AbortController();
    answer = () => during.abort(new Error('gone'));
    await expect(ollama().embed(['a'], during.signal)).rejects.toThrow('gone');
    const between = new AbortController();
    answer = (response) => {
      response.on('close', () => setImmediate(() => between.abort(new Error('gone too'))));
      json(response, {}, 503);
    };
    const patient = ollama({ backoff: { baseMs: 60_000, maxMs: 60_000, jitter: 0 } });
    await expect(patient.embed(['a'], between.signal)).rejects.toThrow('gone too');
    expect(received).toHaveLength(2);
  });

  it('limits the number of concurrent calls', async () => {
    const open: (() => void)[] = [];
    let most = 0;
    let under = 0;
    let arrived = (): void => undefined;
    answer = (response, { body }) => {
      most = Math.max(most, ++under);
      open.push(() => {
        under--;
        json(response, { embeddings: vectors(body.input) });
      });
      arrived();
    };
    const embedded = ollama({ batchSize: 1 }).embed(['a', 'b', 'c', 'd', 'e']);
    for (let answered = 0; answered < 5; answered++) {
      while (open.length < Math.min(2, 5 - answered))
        await new Promise<void>((resolve) => (arrived = resolve));
      open.shift()?.();
    }
    expect(await embedded).toHaveLength(5);
    expect(most).toBe(2);
  });

  it('makes no calls while the breaker is open, and resumes after a successful probe', async () => {
    let isDown = true;
    answer = (response, { path, body }) => {
      if (isDown) json(response, {}, 503);
      else json(response, path === '/api/embed' ? { embeddings: vectors(body.input) } : { version: '1' });
    };
    const states: string[] = [];
    let closed = (): void => undefined;
    const whenClosed = new Promise<void>((resolve) => (closed = resolve));
    const embedder = ollama({
      attempts: 10,
      breakerFailures: 3,
      breakerProbeIntervalMs: 20,
      onBreakerChange: (state) => {
        states.push(state);
        if (state === 'closed') closed();
      },
    });
    expect((await failure(embedder.embed(['a']))).retryable).toBe(true);
    expect(received.filter(({ path }) => path === '/api/embed')).toHaveLength(3);
    expect((await failure(embedder.embed(['a']))).message).toMatch(/is unavailable/);
    expect(received.filter(({ path }) => path === '/api/embed')).toHaveLength(3);
    isDown = false;
    await whenClosed;
    expect(await embedder.embed(['a'])).toHaveLength(1);
    expect(states[0]).toBe('open');
    expect(received.some(({ path }) => path === '/api/version')).toBe(true);
  });
});
