export { VectorIndex, type VectorIndexOptions, type VectorIndexStats } from './search/vector-index.js';
export { VectorMatrix } from './search/vector-matrix.js';
export type { VectorFilter, VectorQuery } from './search/vector-filter.js';
export type { VectorHit } from './search/top-hits.js';
export type {
  ChangeCursor,
  CommittedChange,
  VectorAttributes,
  VectorChanges,
  VectorRow,
  VectorSource,
} from './search/vector-source.js';
export { MAX_TRANSCRIPT_BYTES, transcriptMetadata, transcriptSummary } from './transcript.dto.js';
export { TranscriptModule } from './transcript.module.js';
export { TranscriptService } from './transcript.service.js';
export { createTranscriptBody, type CreateTranscriptBody } from './transcript.dto.js';
export type { BatchTimes } from './transcript.pipeline.js';
export { EMBEDDER, type Embedder } from './embedding/embedder.js';
