export { EmbeddingError, type Embedder, EMBEDDER } from './embedding/embedder.js';
export { VectorIndex, type VectorIndexStats } from './vectors/vector-index.js';
export type {
  VectorChanges,
  VectorRow,
  VectorSource,
  CommittedChange,
  ChangeCursor,
} from './vectors/vector-source.js';
export type { VectorHit } from './vectors/top-hits.js';
export { encodeVector, decodeVector, dimensionsOf } from './embedding/vector-codec.js';
export { CachedEmbedder, type EmbeddingCacheStats } from './embedding/embedding-cache.js';
export { createEmbedder, type CreatedEmbedder } from './embedding/create-embedder.js';
export { ServerVectorSearch, type AggregatedCollection } from './vectors/server-vector-search.js';
export { VECTOR_SEARCH, type VectorSearch } from './vectors/vector-search.js';
