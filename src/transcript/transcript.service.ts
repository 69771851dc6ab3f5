import { Inject, Injectable } from '@nestjs/common';
import { Types } from 'mongoose';
import { type DateIdCursor, decodeCursor, notFound, type Page, toPage } from '../common/index.js';
import { TRANSCRIPT_SETTINGS, type TranscriptSettings } from '../config/index.js';
import { JournalUnavailableError } from '../journal/index.js';
import type { TenantIdentity } from '../tenant/index.js';
import { EMBEDDER, type Embedder } from './embedding/embedder.js';
import { VectorIndex, type VectorIndexStats } from './search/vector-index.js';
import {
  type CreateTranscriptBody,
  type SearchTranscriptsBody,
  type TranscriptHit,
  type TranscriptsQuery,
  type TranscriptState,
  transcriptView,
} from './transcript.dto.js';
import { journalUnavailable, tooManyTranscripts, transcriptsOff } from './transcript.errors.js';
import { type BatchTimes, type PipelineStats, TranscriptPipeline } from './transcript.pipeline.js';
import { TranscriptRepository } from './transcript.repository.js';
import type { TranscriptRecord } from './transcript.schema.js';
import { TranscriptStore } from './transcript-store.js';

const place = ({ createdAt, _id }: TranscriptRecord): DateIdCursor => ({
  date: createdAt,
  id: _id.toHexString(),
});

/** Accepts transcripts, and finds them again. */
@Injectable()
export class TranscriptService {
  constructor(
    private readonly pipeline: TranscriptPipeline,
    private readonly transcripts: TranscriptRepository,
    private readonly store: TranscriptStore,
    private readonly index: VectorIndex,
    @Inject(EMBEDDER) private readonly embedder: Embedder,
    @Inject(TRANSCRIPT_SETTINGS) private readonly settings: TranscriptSettings,
  ) {}

  /**
   * Answers once the transcript is on disk; it is embedded and stored later. With an `id` of the caller's own it may be repeated: a transcript
   * is stored once, and not again after it was deleted.
   * @throws ProblemError 429 `transcript_queue_full`, 403 `transcripts_off`, 503 `journal_unavailable`
   */
  async enqueue(
    { tenantId, features }: TenantIdentity,
    body: CreateTranscriptBody,
    givenId?: string,
  ): Promise<{ id: string }> {
    if (!features.transcripts) throw transcriptsOff();
    if (givenId !== undefined && (await this.isKnown(tenantId, givenId))) return { id: givenId };
    const limit = this.settings.TRANSCRIPT_MAX_QUEUE_SIZE;
    if (this.pipeline.waitingOf(tenantId) >= limit) throw tooManyTranscripts(limit);
    const id = givenId ?? new Types.ObjectId().toHexString();
    try {
      const item = { ...body, id, tenantId, createdAt: new Date() };
      await this.pipeline.accept(item, { isFresh: givenId === undefined });
    } catch (error) {
      if (error instanceof JournalUnavailableError) throw journalUnavailable(error);
      throw error;
    }
    return { id };
  }

  /**
   * What is known of a transcript. One that waits is known to the process that accepted it alone.
   * @throws ProblemError 404 `transcript_not_found`
   */
  async get(tenantId: string, id: string): Promise<TranscriptState> {
    const waiting = this.pipeline.stateOf(tenantId, id);
    const stored = await this.transcripts.find(tenantId, id);
    if (stored) return transcriptView(stored);
    if (waiting) return { id, status: waiting };
    throw notFound('transcript', id);
  }

  /** Newest first. */
  async list(tenantId: string, query: TranscriptsQuery): Promise<Page<TranscriptRecord>> {
    const { limit, cursor, ...filter } = query;
    const from = cursor === undefined ? undefined : decodeCursor(cursor);
    const rows = await this.transcripts.list(tenantId, filter, limit + 1, from);
    return toPage(rows, limit, place, (record) => record);
  }

  /**
   * Deletes row and vector, also of a transcript that is still at work here: it does not come after.
   * @throws ProblemError 404 `transcript_not_found`
   */
  async delete(tenantId: string, id: string): Promise<void> {
    const isWaiting = this.pipeline.stateOf(tenantId, id) !== undefined;
    if (!isWaiting && !(await this.transcripts.find(tenantId, id))) throw notFound('transcript', id);
    const { change, wasStored } = await this.store.delete(tenantId, id);
    this.index.apply(tenantId, this.embedder.model, change);
    if (!wasStored && !isWaiting) throw notFound('transcript', id);
  }

  /** Those most like the query by meaning, best first. */
  async search(tenantId: string, body: SearchTranscriptsBody): Promise<TranscriptHit[]> {
    const { query, limit, channel, participantId, since, until } = body;
    const [vector] = await this.embedder.embed([query]);
    if (!vector) throw new Error('the embedder answered no vector');
    const hits = await this.index.search(tenantId, this.embedder.model, vector, {
      limit,
      ...(channel !== undefined && { channel }),
      ...(participantId !== undefined && { participantId }),
      ...(since && { since: since.getTime() }),
      ...(until && { until: until.getTime() }),
    });
    const records = await this.transcripts.findMany(
      tenantId,
      hits.map(({ id }) => id),
    );
    const byId = new Map(records.map((record) => [record._id.toHexString(), record]));
    return hits.flatMap(({ id, score }) => {
      const record = byId.get(id);
      return record ? { ...transcriptView(record), score } : [];
    });
  }

  /** Accepted here, stored, or deleted. One that waits in another process is stored once all the same. */
  private async isKnown(tenantId: string, id: string): Promise<boolean> {
    if (this.pipeline.stateOf(tenantId, id) !== undefined) return true;
    return (await this.transcripts.known(tenantId, [new Types.ObjectId(id)])).has(id);
  }

  /** Calls `listener` after each batch that was stored; the answer ends it. */
  onBatch(listener: (batch: BatchTimes) => void): () => void {
    return this.pipeline.onBatch(listener);
  }

  stats(): { pipeline: PipelineStats; index: VectorIndexStats } {
    return { pipeline: this.pipeline.stats(), index: this.index.stats() };
  }
}
