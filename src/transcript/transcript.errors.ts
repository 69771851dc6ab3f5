import { ProblemError } from '../http/index.js';
import type { EmbeddingError } from '../search/index.js';

export const tooManyTranscripts = (limit: number): ProblemError =>
  new ProblemError({
    status: 429,
    code: 'transcript_queue_full',
    title: 'Too many transcripts are queued',
    detail: `The limit of ${limit} queued transcripts of this tenant is reached; this one was not accepted. Retry later.`,
    retryAfterSeconds: 1,
  });

export const transcriptsOff = (): ProblemError =>
  new ProblemError({
    status: 403,
    code: 'transcripts_off',
    title: 'Transcripts are disabled for this tenant',
    detail: 'The operator has disabled the storage of transcripts; nothing was stored.',
  });

export const transcriptExternalIdInUse = (externalId: string, transcriptId: string): ProblemError =>
  new ProblemError({
    status: 409,
    code: 'external_id_in_use',
    title: 'The externalId belongs to another transcript',
    detail: `externalId "${externalId}" belongs to transcript "${transcriptId}", which has other contents; this one was not stored.`,
    extra: { externalId, transcriptId },
  });

export const transcriptNotFailed = (status: string): ProblemError =>
  new ProblemError({
    status: 409,
    code: 'transcript_not_failed',
    title: 'The transcript is not a dead letter',
    detail: `Only a transcript with the status failed can be replayed; this one is ${status}.`,
  });

/** The query could not be embedded. */
export const queryNotEmbedded = (error: EmbeddingError): ProblemError =>
  error.retryable
    ? new ProblemError(
        {
          status: 503,
          code: 'embedding_unavailable',
          title: 'Search is temporarily unavailable',
          detail: 'The embedding service does not respond. Retry later.',
          retryAfterSeconds: 2,
        },
        { cause: error },
      )
    : new ProblemError(
        {
          status: 502,
          code: 'embedding_refused',
          title: 'The query was rejected by the embedding service',
          detail: 'The embedding service does not accept this query.',
        },
        { cause: error },
      );
