import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { Types } from 'mongoose';
import { type DateIdCursor, decodeCursor, notFound, type Page, toPage } from '../common/index.js';
import { TRANSCRIPT_SETTINGS, type TranscriptSettings } from '../config/index.js';
import { JournalUnavailableError } from '../journal/index.js';
import type { TenantIdentity } from '../tenant/index.js';
import { EMBEDDER, type Embedder, EmbeddingError } from './embedding/embedder.js';
import { VECTOR_SEARCH, type VectorSearch } from './search/vector-search.js';
import { VectorIndex, type VectorIndexStats } from './search/vector-index.js';
import {
  type CreateTranscriptBody,
  type SearchTranscriptsBody,
  type TranscriptHit,
  type TranscriptsQuery,
  type TranscriptState,
  transcriptView,
} from './transcript.dto.js';
import {
  journalUnavailable,
  queryNotEmbedded,
  tooManyTranscripts,
  transcriptsOff,
} from './transcript.errors.js';
import { type BatchTimes, type PipelineStats, TranscriptPipeline } from './transcript.pipeline.js';
import { TranscriptRepository } from './transcript.repository.js';
import type { TranscriptRecord } from './transcript.schema.js';
import { TranscriptNotes } from './transcript-notes.js';
import { TranscriptStore } from './transcript-store.js';

const place = ({ createdAt, _id }: TranscriptRecord): DateIdCursor => ({
  date: createdAt,
  id: _id.toHexString(),
});

/** The id of a tenant's own name: the same for the same name, and of no other tenant. */
function idOf(tenantId: string, externalId: string): string {
  return createHash('sha256').update(`${tenantId}\0${externalId}`).digest('hex').slice(0, 24);
}

/** Accepts transcripts, and finds them again. */
@Injectable()
export class TranscriptService {
  constructor(
    private readonly pipeline: TranscriptPipeline,
    private readonly transcripts: TranscriptRepository,
    private readonly store: TranscriptStore,
    private readonly index: VectorIndex,
    private readonly notes: TranscriptNotes,
    @Inject(VECTOR_SEARCH) private readonly vectors: VectorSearch,
    @Inject(EMBEDDER) private readonly embedder: Embedder,
    @Inject(TRANSCRIPT_SETTINGS) private readonly settings: TranscriptSettings,
  ) {}

  /**
   * Answers once the transcript is on disk; it is embedded and stored later. With an `id` of the caller's own, or an `externalId`, it may be
   * repeated: a transcript is stored once, as it came first, and not again after it was deleted.
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
    // Whether a named one is known is found out when it is stored: no read of the database holds up the answer.
    const named = body.externalId === undefined ? undefined : idOf(tenantId, body.externalId);
    const id = givenId ?? named ?? new Types.ObjectId().toHexString();
    try {
      const item = { ...body, id, tenantId, createdAt: new Date() };
      await this.pipeline.accept(item, { isNew: givenId === undefined && named === undefined });
    } catch (error) {
      if (error instanceof JournalUnavailableError) throw journalUnavailable(error);
      throw error;
    }
    return { id };
  }

  /**
   * What is known of a transcript. One that waits is known to the process that accepted it, and with Redis to the others.
   * @throws ProblemError 404 `transcript_not_found`
   */
  async get(tenantId: string, id: string): Promise<TranscriptState> {
    const here = this.pipeline.stateOf(tenantId, id);
    const stored = await this.transcripts.find(tenantId, id);
    // A dead letter that is tried again is on its way, although its row still says what came of the last try.
    if (stored && here && stored.status === 'failed') return { id, status: here };
    if (stored) return transcriptView(stored);
    const waiting = here ?? ((await this.notes.isQueued(tenantId, id)) ? 'queued' : undefined);
    if (waiting && !(await this.transcripts.isDeleted(tenantId, id))) return { id, status: waiting };
    // Its note goes after its row came: between the two looks it may have been stored elsewhere.
    const meanwhile = waiting || !this.notes.enabled ? null : await this.transcripts.find(tenantId, id);
    if (meanwhile) return transcriptView(meanwhile);
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
    const { status } = await this.get(tenantId, id);
    this.pipeline.deleting(id);
    const { change, wasStored } = await this.store.delete(tenantId, id);
    this.index.apply(tenantId, this.embedder.model, change);
    this.notes.gone(tenantId, id);
    if (!wasStored && status !== 'queued' && status !== 'processing') throw notFound('transcript', id);
  }

  /**
   * Those most like the query by meaning, best first.
   * @throws ProblemError 503 `embedding_unavailable`, 502 `embedding_refused`
   */
  async search(tenantId: string, body: SearchTranscriptsBody): Promise<TranscriptHit[]> {
    const { query, limit, channel, participantId, since, until } = body;
    const vector = await this.vectorOf(query);
    const hits = await this.vectors.search(tenantId, this.embedder.model, vector, {
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

  /** Stored or deleted. One that waits, here or in another process, is stored once all the same. */
  private async isKnown(tenantId: string, id: string): Promise<boolean> {
    return (await this.transcripts.known(tenantId, [new Types.ObjectId(id)])).has(id);
  }

  private async vectorOf(query: string): Promise<Float32Array> {
    try {
      const [vector] = await this.embedder.embed([query]);
      if (vector) return vector;
    } catch (error) {
      if (error instanceof EmbeddingError) throw queryNotEmbedded(error);
      throw error;
    }
    throw new Error('the embedder answered no vector');
  }

  /** Calls `listener` after each batch that was stored; the answer ends it. */
  onBatch(listener: (batch: BatchTimes) => void): () => void {
    return this.pipeline.onBatch(listener);
  }

  stats(): { pipeline: PipelineStats; index: VectorIndexStats } {
    return { pipeline: this.pipeline.stats(), index: this.index.stats() };
  }
}
