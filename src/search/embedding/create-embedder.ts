import type { TranscriptSettings } from '../../config/index.js';
import type { Logger } from '../../logging/index.js';
import { BuiltInEmbedder } from './built-in.embedder.js';
import type { Embedder } from './embedder.js';
import { CachedEmbedder, EmbeddingCache } from './embedding-cache.js';
import { OllamaEmbedder } from './ollama.embedder.js';
import { OpenAiEmbedder } from './openai.embedder.js';
import { hasThreadFile, ThreadedEmbedder } from './threaded.embedder.js';

/** The configured embedder behind its cache, and a function to call at shutdown. */
export interface CreatedEmbedder {
  embedder: CachedEmbedder;
  stop: () => Promise<void>;
}

const idle = (): Promise<void> => Promise.resolve();

function builtIn(logger: Logger): { embedder: Embedder; stop: () => Promise<void> } {
  if (!hasThreadFile()) return { embedder: new BuiltInEmbedder(), stop: idle };
  const embedder = new ThreadedEmbedder({
    onEnd: (err, wasReady) =>
      logger.warn(
        { err },
        wasReady
          ? 'the thread of the built-in embedder exited; the next call starts a new one'
          : 'the thread of the built-in embedder could not start; embedding on the main thread for now',
      ),
  });
  return { embedder, stop: () => embedder.stop() };
}

function choose(
  settings: TranscriptSettings,
  logger: Logger,
): { embedder: Embedder; stop: () => Promise<void> } {
  const common = {
    timeoutMs: settings.EMBEDDING_TIMEOUT_MS,
    attempts: settings.EMBEDDING_ATTEMPTS,
    concurrency: settings.EMBEDDING_CONCURRENCY,
    batchSize: settings.EMBEDDING_BATCH_SIZE,
    onBreakerChange: (state: string, reason: string): void =>
      logger[state === 'open' ? 'warn' : 'info'](
        { embedder: settings.EMBEDDER, state, reason },
        'circuit breaker of the embedding service changed state',
      ),
  };
  if (settings.EMBEDDER === 'ollama') {
    const embedder = new OllamaEmbedder({
      ...common,
      url: settings.OLLAMA_URL,
      model: settings.OLLAMA_EMBED_MODEL,
    });
    return { embedder, stop: () => embedder.stop() };
  }
  if (settings.EMBEDDER === 'openai' && settings.OPENAI_EMBEDDINGS_URL !== undefined) {
    const embedder = new OpenAiEmbedder({
      ...common,
      url: settings.OPENAI_EMBEDDINGS_URL,
      apiKey: settings.OPENAI_API_KEY,
      model: settings.OPENAI_EMBED_MODEL,
    });
    return { embedder, stop: () => embedder.stop() };
  }
  if (settings.EMBEDDER === 'openai')
    throw new Error('OPENAI_EMBEDDINGS_URL is required when EMBEDDER=openai.');
  return builtIn(logger);
}

/** Creates the embedder selected by `EMBEDDER`, with a cache of `EMBEDDING_CACHE_SIZE` vectors. */
export function createEmbedder(settings: TranscriptSettings, logger: Logger): CreatedEmbedder {
  const { embedder, stop } = choose(settings, logger);
  return { embedder: new CachedEmbedder(embedder, new EmbeddingCache(settings.EMBEDDING_CACHE_SIZE)), stop };
}
