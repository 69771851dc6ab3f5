import { z } from 'zod';
import { RemoteCalls, type RemoteCall, type RemoteCallsOptions } from './remote-calls.js';
import { RemoteEmbedder, vectorSchema } from './remote.embedder.js';

export interface OpenAiEmbedderOptions extends Omit<RemoteCallsOptions, 'name' | 'probe'> {
  /** Base URL of the API including its version; `/embeddings` is appended. */
  url: string;
  apiKey?: string | undefined;
  model: string;
  batchSize: number;
}

const responseSchema = z.object({
  data: z.array(z.object({ index: z.int().min(0), embedding: vectorSchema })),
});

const reasons: Readonly<Record<number, string>> = {
  401: 'The embedding service rejected the API key. Check OPENAI_API_KEY.',
  403: 'The embedding service does not allow this API key to create embeddings. Check OPENAI_API_KEY.',
  404: 'The embedding service does not have this URL or model. Check OPENAI_EMBEDDINGS_URL and OPENAI_EMBED_MODEL.',
};

/** Embeds with an OpenAI-compatible API: `POST /embeddings` with a bearer token. */
export class OpenAiEmbedder extends RemoteEmbedder {
  private readonly url: string;
  private readonly headers: Record<string, string>;

  constructor({ url, apiKey, model, batchSize, ...calls }: OpenAiEmbedderOptions) {
    const base = url.replace(/\/$/, '');
    const headers: Record<string, string> = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
    const name = 'The embedding service';
    super(
      model,
      name,
      new RemoteCalls({ ...calls, name, probe: { url: `${base}/models`, headers } }),
      batchSize,
    );
    this.url = `${base}/embeddings`;
    this.headers = headers;
  }

  protected callFor(input: readonly string[]): RemoteCall {
    return {
      url: this.url,
      headers: this.headers,
      body: { model: this.model, input, encoding_format: 'float' },
      explain: (status) => reasons[status],
    };
  }

  protected vectorsIn(response: unknown): number[][] | undefined {
    const rows = responseSchema.safeParse(response).data?.data;
    if (!rows) return undefined;
    const sorted = rows.toSorted((a, b) => a.index - b.index);
    return sorted.every(({ index }, i) => index === i) ? sorted.map(({ embedding }) => embedding) : undefined;
  }
}
