import { ProblemError } from '../common/index.js';

export const tooManyTranscripts = (limit: number): ProblemError =>
  new ProblemError({
    status: 429,
    code: 'transcript_queue_full',
    title: 'Too many transcripts wait to be stored',
    detail: `${limit} transcripts of this tenant wait here; this one was not accepted. Send it again a little later.`,
    retryAfterSeconds: 1,
  });

export const transcriptsOff = (): ProblemError =>
  new ProblemError({
    status: 403,
    code: 'transcripts_off',
    title: 'Transcripts are switched off for this tenant',
    detail: 'The operator has switched the storage of transcripts off; nothing was stored.',
  });

export const journalUnavailable = (cause: unknown): ProblemError =>
  new ProblemError(
    {
      status: 503,
      code: 'journal_unavailable',
      title: 'Transcripts cannot be accepted',
      detail:
        'The disk of the journal cannot be written; nothing was accepted. Send it again a little later.',
      retryAfterSeconds: 5,
    },
    { cause },
  );
