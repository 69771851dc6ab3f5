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

/** How transcripts are taken, batched, embedded and searched; a group of `settingGroups`. */
export const transcriptSettings = {
  TRANSCRIPT_PROFILE: setting(
    z.enum(transcriptProfiles, 'must be balanced, throughput or latency'),
    'Numbers of the transcript pipeline that are not set by themselves: for most uses, for many transcripts at once, or for each to be found soon.',
    { default: 'balanced' },
  ),
  TRANSCRIPT_MAX_QUEUE_SIZE: count(
    1000,
    1,
    1_000_000,
    'Transcripts of one tenant that may wait, in all processes together; beyond it more are refused with 429.',
  ),
  TRANSCRIPT_BATCH_SIZE: byTranscriptProfile(
    [10, 100, 5],
    integer(1, 1000),
    'A batch is due when so many transcripts wait.',
  ),
  TRANSCRIPT_MAX_BATCH_SIZE: byTranscriptProfile(
    [64, 200, 32],
    integer(1, 1000),
    'While more wait than that, a batch takes up to so many; never fewer than TRANSCRIPT_BATCH_SIZE.',
  ),
  TRANSCRIPT_BATCH_TIMEOUT_MS: byTranscriptProfile(
    [30_000, 30_000, 50],
    integer(10, 600_000),
    'A transcript waits no longer than this for its batch to fill.',
    'milliseconds',
  ),
  TRANSCRIPT_MAX_CONCURRENT_BATCHES: byTranscriptProfile(
    [3, 6, 6],
    integer(1, 100),
    'Batches at work in one process at the same time; with the built-in embedder no more than processors less one.',
  ),
  TRANSCRIPT_ATTEMPTS: count(
    5,
    1,
    100,
    'Tries of a transcript that cannot be embedded, before it is kept as failed.',
  ),
  TRANSCRIPT_TOMBSTONE_DAYS: setting(
    integer(2, 3650),
    'The id of a deleted transcript is kept for this time, so that one of the same name is not stored again.',
    { default: '30', unit: 'days' },
  ),
  TRANSCRIPT_SWEEP_INTERVAL_MS: ms(hour, 1000, 24 * hour, 'How often ids past that time are swept.'),
  VECTOR_SEARCH: setting(
    z.enum(['memory', 'atlas'], 'must be memory or atlas'),
    'memory: exact search in the memory of each process. atlas: $vectorSearch of a MongoDB server that has it; needs MONGODB_URI.',
    { default: 'memory' },
  ),
  VECTOR_SEARCH_INDEX: setting(
    notEmpty,
    'Name of the vector index of that server, for VECTOR_SEARCH=atlas.',
    {
      default: 'transcript_vectors',
    },
  ),
  VECTOR_INDEX_MAX_BYTES: setting(
    integer(1_048_576, 1_099_511_627_776),
    'Memory for the vectors of searched tenants in one process; those not searched for longest go first.',
    { default: '268435456', unit: 'bytes' },
  ),
  EMBEDDER: setting(
    z.enum(['built-in', 'ollama', 'openai'], 'must be built-in, ollama or openai'),
    'What turns transcripts into vectors: built-in needs nothing and finds shared words; ollama and openai ask a model.',
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
    'Address of an OpenAI-compatible API up to its version, /embeddings is added. Required when EMBEDDER=openai.',
  ),
  OPENAI_API_KEY: setting(notEmpty.optional(), 'Key of that API. Unset: none is sent.'),
  OPENAI_EMBED_MODEL: setting(notEmpty, 'Embedding model of that API.', {
    default: 'text-embedding-3-small',
  }),
  EMBEDDING_TIMEOUT_MS: ms(
    10_000,
    10,
    600_000,
    'Longest time for one try of one call of an embedding service.',
  ),
  EMBEDDING_ATTEMPTS: count(
    4,
    1,
    20,
    'Tries of a call that meets a network error, 429 or 5xx, with exponential backoff between them.',
  ),
  EMBEDDING_CONCURRENCY: byTranscriptProfile(
    [4, 8, 8],
    integer(1, 1000),
    'Calls of an embedding service at a time in one process; more wait.',
  ),
  EMBEDDING_BATCH_SIZE: byTranscriptProfile(
    [32, 64, 8],
    integer(1, 2048),
    'Most texts in one call of an embedding service.',
  ),
  EMBEDDING_CACHE_SIZE: count(
    1000,
    1,
    10_000_000,
    'Vectors kept in the memory of one process, so that the same text is not embedded twice.',
  ),
} as const;
