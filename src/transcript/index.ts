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
export {
  createTranscriptBody,
  type CreateTranscriptBody,
  MAX_TRANSCRIPT_BYTES,
  transcriptMetadata,
  transcriptSummary,
} from './transcript.dto.js';
export { type BatchTimes, TranscriptWorker } from './transcript.worker.js';
export { OldJournalImport } from './old-journal/old-journal-import.js';
export { TranscriptModule } from './transcript.module.js';
export { type ReembedOptions, type ReembedResult, TranscriptReembedder } from './transcript-reembedder.js';
export { type ProcessTranscriptStats, TranscriptStats } from './transcript-stats.js';
export { TranscriptService } from './transcript.service.js';
export { type NewTranscript, TranscriptStore } from './transcript-store.js';
export { EMBEDDER, type Embedder, EmbeddingError } from './embedding/embedder.js';
export { encodeVector } from './embedding/vector-codec.js';
