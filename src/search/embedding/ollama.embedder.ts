import { z } from 'zod';
import { RemoteCalls, type RemoteCall, type RemoteCallsOptions } from './remote-calls.js';
import { RemoteEmbedder, vectorSchema } from './remote.embedder.js';

export interface OllamaEmbedderOptions extends Omit<RemoteCallsOptions, 'name' | 'probe'> {
  /** Base URL of Ollama, without `/api`. */
  url: string;
  model: string;
  batchSize: number;
}

const responseSchema = z.object({ embeddings: z.array(vectorSchema) });

const withoutSlash = (url: string): string => url.replace(/\/$/, '');

/** Embeds with Ollama: `POST /api/embed`. The model must have been pulled there. */
export class OllamaEmbedder extends RemoteEmbedder {
  private readonly url: string;

  constructor({ url, model, batchSize, ...calls }: OllamaEmbedderOptions) {
    const base = withoutSlash(url);
    super(
      model,
      'Ollama',
      new RemoteCalls({ ...calls, name: 'Ollama', probe: { url: `${base}/api/version` } }),
      batchSize,
    );
    this.url = `${base}/api/embed`;
  }

  protected callFor(input: readonly string[]): RemoteCall {
    return {
      url: this.url,
      body: { model: this.model, input },
      explain: (status) =>
        status === 404
          ? `Ollama has no model ${this.model}: run "ollama pull ${this.model}" where it runs, or set OLLAMA_EMBED_MODEL.`
          : undefined,
    };
  }

  protected vectorsIn(response: unknown): number[][] | undefined {
    return responseSchema.safeParse(response).data?.embeddings;
  }
}
