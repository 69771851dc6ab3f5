import { z } from 'zod';
import {
  byTranscriptProfile,
  count,
  hour,
  httpUrl,
  integer,
  ms,
  notEmpty,
  setting,
  transcriptProfiles,
} from './setting-definition.js';

/** Settings for accepting, batching, embedding and searching transcripts; a group of `settingGroups`. */
export const transcriptSettings = {
  TRANSCRIPT_PROFILE: setting(
    z.enum(transcriptProfiles, 'must be balanced, throughput or latency'),
    'Defaults for the transcript pipeline. balanced: for most uses; throughput: for many transcripts at once; latency: so that each transcript can be found soon.',
    { default: 'balanced' },
  ),
  TRANSCRIPT_MAX_QUEUE_SIZE: count(
    1000,
    1,
    1_000_000,
    'Maximum number of waiting transcripts of one tenant, across all processes. Further ones are rejected with 429.',
  ),
  TRANSCRIPT_BATCH_SIZE: byTranscriptProfile(
    [10, 100, 5],
    integer(1, 1000),
    'A batch starts when this many transcripts are waiting.',
  ),
  TRANSCRIPT_MAX_BATCH_SIZE: byTranscriptProfile(
    [64, 200, 32],
    integer(1, 1000),
    'Maximum size of a batch when more transcripts than TRANSCRIPT_BATCH_SIZE are waiting. Never less than TRANSCRIPT_BATCH_SIZE.',
  ),
  TRANSCRIPT_BATCH_TIMEOUT_MS: byTranscriptProfile(
    [30_000, 30_000, 50],
    integer(10, 600_000),
    'Maximum time that a transcript waits for its batch to fill.',
    'milliseconds',
  ),
  TRANSCRIPT_MAX_CONCURRENT_BATCHES: byTranscriptProfile(
    [3, 6, 6],
    integer(1, 100),
    'Maximum number of concurrent batches in one process. With the built-in embedder, at most the number of processors minus one.',
  ),
  TRANSCRIPT_ATTEMPTS: count(
    5,
    1,
    100,
    'Maximum number of attempts to embed a transcript before it is marked as failed.',
  ),
  TRANSCRIPT_TOMBSTONE_DAYS: setting(
    integer(2, 3650),
    'How long the id of a deleted transcript is kept, so that a transcript with the same id is not stored again.',
    { default: '30', unit: 'days' },
  ),
  TRANSCRIPT_SWEEP_INTERVAL_MS: ms(
    hour,
    1000,
    24 * hour,
    'Interval at which expired ids of deleted transcripts are removed.',
  ),
  VECTOR_SEARCH: setting(
    z.enum(['memory', 'atlas'], 'must be memory or atlas'),
    'memory: exact search in the memory of each process. atlas: $vectorSearch on a MongoDB server that supports it; requires MONGODB_URI.',
    { default: 'memory' },
  ),
  VECTOR_SEARCH_INDEX: setting(
    notEmpty,
    'Name of the vector index on that server, for VECTOR_SEARCH=atlas.',
    {
      default: 'transcript_vectors',
    },
  ),
  VECTOR_INDEX_MAX_BYTES: setting(
    integer(1_048_576, 1_099_511_627_776),
    'Maximum memory for vectors in one process; the tenants searched least recently are evicted first.',
    { default: '268435456', unit: 'bytes' },
  ),
  EMBEDDER: setting(
    z.enum(['built-in', 'ollama', 'openai'], 'must be built-in, ollama or openai'),
    'How transcripts are converted to vectors. built-in: requires nothing else and matches shared words; ollama, openai: use a model.',
    { default: 'built-in' },
  ),
  OLLAMA_URL: setting(httpUrl, 'Address of Ollama, for EMBEDDER=ollama.', {
    default: 'http://127.0.0.1:11434',
  }),
  OLLAMA_EMBED_MODEL: setting(notEmpty, 'Embedding model of Ollama; it must have been pulled.', {
    default: 'nomic-embed-text',
  }),
  OPENAI_EMBEDDINGS_URL: setting(
    httpUrl.optional(),
    'Base URL of an OpenAI-compatible API, including its version; /embeddings is appended. Required when EMBEDDER=openai.',
  ),
  OPENAI_API_KEY: setting(notEmpty.optional(), 'API key for that API. Unset: no key is sent.'),
  OPENAI_EMBED_MODEL: setting(notEmpty, 'Embedding model of that API.', {
    default: 'text-embedding-3-small',
  }),
  EMBEDDING_TIMEOUT_MS: ms(
    10_000,
    10,
    600_000,
    'Maximum time for one attempt of a call to an embedding service.',
  ),
  EMBEDDING_ATTEMPTS: count(
    4,
    1,
    20,
    'Maximum number of attempts for a call that fails with a network error, 429 or 5xx, with exponential backoff between them.',
  ),
  EMBEDDING_CONCURRENCY: byTranscriptProfile(
    [4, 8, 8],
    integer(1, 1000),
    'Maximum number of concurrent calls to an embedding service in one process; further calls wait.',
  ),
  EMBEDDING_BATCH_SIZE: byTranscriptProfile(
    [32, 64, 8],
    integer(1, 2048),
    'Maximum number of texts in one call to an embedding service.',
  ),
  EMBEDDING_CACHE_SIZE: count(
    1000,
    1,
    10_000_000,
    'Maximum number of vectors cached in the memory of one process, so that the same text is not embedded twice.',
  ),
} as const;
