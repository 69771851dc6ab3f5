export {
  createTranscriptBody,
  type CreateTranscriptBody,
  MAX_TRANSCRIPT_BYTES,
  transcriptMetadata,
  transcriptSummary,
} from './transcript.dto.js';
export { type BatchTimes, TranscriptWorker } from './transcript.worker.js';
export { OldJournalImport } from './old-journal/old-journal-import.js';
export { ParticipantTranscripts } from './participant-transcripts.js';
export type { TranscriptsSection } from './transcript-monitoring.js';
export { TranscriptModule } from './transcript.module.js';
export { type ReembedOptions, type ReembedResult, TranscriptReembedder } from './transcript-reembedder.js';
export { type ProcessTranscriptStats, TranscriptStats } from './transcript-stats.js';
export { TranscriptService } from './transcript.service.js';
export { type NewTranscript, TranscriptStore } from './transcript-store.js';
