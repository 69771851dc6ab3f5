import { Inject, Injectable } from '@nestjs/common';
import { decodeCursor, encodeCursor, notFound, ProblemError } from '../common/index.js';
import { TRANSCRIPT_SETTINGS, type TranscriptSettings } from '../config/index.js';
import { JournalUnavailableError } from '../journal/index.js';
import type { ReplayedTranscripts } from './transcript-operations.dto.js';
import { journalUnavailable, tooManyTranscripts, transcriptNotFailed } from './transcript.errors.js';
import { TranscriptPipeline } from './transcript.pipeline.js';
import { TranscriptRepository } from './transcript.repository.js';

/**
 * Dead letters on their way to another try. One goes through the journal and the batches like a new transcript; its row stays what it is until
 * the transaction that writes what came of it, which leaves out what is no dead letter any more. A replay may therefore run twice, or
 * beside another of the same transcript, and changes the row once.
 */
@Injectable()
export class TranscriptReplays {
  constructor(
    private readonly pipeline: TranscriptPipeline,
    private readonly transcripts: TranscriptRepository,
    @Inject(TRANSCRIPT_SETTINGS) private readonly settings: TranscriptSettings,
  ) {}

  /**
   * Answers when the replay is on disk.
   * @throws ProblemError 404 `transcript_not_found`, 409 `transcript_not_failed`, 429 `transcript_queue_full`, 503 `journal_unavailable`
   */
  async one(tenantId: string, id: string): Promise<void> {
    const record = await this.transcripts.find(tenantId, id);
    const waiting = this.pipeline.stateOf(tenantId, id);
    if (!record && !waiting) throw notFound('transcript', id);
    if (!record || waiting || record.status !== 'failed')
      throw transcriptNotFailed(waiting ?? record?.status ?? 'queued');
    const limit = this.settings.TRANSCRIPT_MAX_QUEUE_SIZE;
    if (this.pipeline.waitingOf(tenantId) >= limit) throw tooManyTranscripts(limit);
    const { _id, participantId, channel, transcript, summary, metadata, createdAt } = record;
    try {
      await this.pipeline.accept({
        id: _id.toHexString(),
        tenantId,
        participantId,
        channel,
        transcript,
        summary,
        metadata,
        createdAt,
        isReplay: true,
      });
    } catch (error) {
      if (error instanceof JournalUnavailableError) throw journalUnavailable(error);
      throw error;
    }
  }

  /**
   * Up to `limit` dead letters, newest first; those that wait here already, or are none any more, are passed over. A full queue ends the page.
   * @throws ProblemError 400 `invalid_cursor`; when none was taken, 429 `transcript_queue_full` or 503 `journal_unavailable`
   */
  async page(tenantId: string, limit: number, cursor?: string): Promise<ReplayedTranscripts> {
    const from = cursor === undefined ? undefined : decodeCursor(cursor);
    const rows = await this.transcripts.deadLetters(tenantId, limit + 1, from);
    let replayed = 0;
    let last = cursor ?? null;
    for (const { _id, createdAt } of rows.slice(0, limit)) {
      const id = _id.toHexString();
      try {
        await this.one(tenantId, id);
        replayed++;
      } catch (error) {
        if (!(error instanceof ProblemError)) throw error;
        const { status } = error.problem;
        if (status !== 404 && status !== 409) {
          if (replayed === 0) throw error;
          return { replayed, nextCursor: last };
        }
      }
      last = encodeCursor({ date: createdAt, id });
    }
    return { replayed, nextCursor: rows.length > limit ? last : null };
  }
}
