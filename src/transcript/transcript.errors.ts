import { ProblemError } from '../http/index.js';
import type { EmbeddingError } from '../search/index.js';

export const tooManyTranscripts = (limit: number): ProblemError =>
  new ProblemError({
    status: 429,
    code: 'transcript_queue_full',
    title: 'Too many transcripts wait to be stored',
    detail: `${limit} transcripts of this tenant wait; this one was not accepted. Send it again a little later.`,
    retryAfterSeconds: 1,
  });

export const transcriptsOff = (): ProblemError =>
  new ProblemError({
    status: 403,
    code: 'transcripts_off',
    title: 'Transcripts are switched off for this tenant',
    detail: 'The operator has switched the storage of transcripts off; nothing was stored.',
  });

export const transcriptNotFailed = (status: string): ProblemError =>
  new ProblemError({
    status: 409,
    code: 'transcript_not_failed',
    title: 'The transcript is no dead letter',
    detail: `Only a transcript with the status failed can be replayed; this one is ${status}.`,
  });

/** A query that cannot be turned into a vector. */
export const queryNotEmbedded = (error: EmbeddingError): ProblemError =>
  error.retryable
    ? new ProblemError(
        {
          status: 503,
          code: 'embedding_unavailable',
          title: 'Search is not possible at the moment',
          detail: 'The embedding service does not answer. Search again a little later.',
          retryAfterSeconds: 2,
        },
        { cause: error },
      )
    : new ProblemError(
        {
          status: 502,
          code: 'embedding_refused',
          title: 'The query cannot be searched for',
          detail: 'The embedding service does not take this query.',
        },
        { cause: error },
      );
