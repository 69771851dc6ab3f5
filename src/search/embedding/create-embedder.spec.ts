import { loadSettings, SettingsError } from '../../config/index.js';
import { createLogger } from '../../logging/index.js';
import { createEmbedder } from './create-embedder.js';

const logger = createLogger({ level: 'silent', pretty: false });

describe('createEmbedder', () => {
  it.each([
    [{}, 'built-in-256-v2', 256],
    [{ EMBEDDER: 'ollama' }, 'nomic-embed-text', undefined],
    [
      { EMBEDDER: 'openai', OPENAI_EMBEDDINGS_URL: 'http://127.0.0.1:1/v1' },
      'text-embedding-3-small',
      undefined,
    ],
  ])('creates the embedder selected by %j', async (env, model, dimensions) => {
    const { embedder, stop } = createEmbedder(loadSettings(env).transcript, logger);
    expect(embedder.model).toBe(model);
    expect(embedder.dimensions).toBe(dimensions);
    await stop();
  });

  it('caches as many vectors as the settings say', async () => {
    const { embedder } = createEmbedder(loadSettings({ EMBEDDING_CACHE_SIZE: '2' }).transcript, logger);
    await embedder.embed(['a', 'b', 'c']);
    await embedder.embed(['c']);
    expect(embedder.stats()).toEqual({ size: 2, max: 2, hits: 1, misses: 3, hitRate: 0.25 });
  });

  it('fails at start if EMBEDDER=openai has no URL', () => {
    expect(() => loadSettings({ EMBEDDER: 'openai' })).toThrow(SettingsError);
    expect(() => loadSettings({ EMBEDDER: 'openai' })).toThrow(/OPENAI_EMBEDDINGS_URL: is required/);
  });
});
