import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { mongo, Types } from 'mongoose';
import { duplicateKeyFields, GroupCommit, positionBy } from '../database/index.js';
import { contentSize, dateIdCursor, MAX_PAGE_BYTES, notFound, type Page, readPage } from '../http/index.js';
import {
  EMBEDDER,
  type Embedder,
  EmbeddingError,
  VECTOR_SEARCH,
  type VectorSearch,
  VectorIndex,
} from '../search/index.js';
import type { TenantIdentity } from '../tenant/index.js';
import { TranscriptBacklog } from './transcript-backlog.js';
import type { ReplayedTranscripts } from './transcript-operations.dto.js';
import { TranscriptStore } from './transcript-store.js';
import {
  type CreateTranscriptBody,
  type SearchTranscriptsBody,
  type TranscriptHit,
  type TranscriptHits,
  type TranscriptsQuery,
  type TranscriptState,
  transcriptView,
} from './transcript.dto.js';
import { queryNotEmbedded, transcriptNotFailed, transcriptsOff } from './transcript.errors.js';
import { TranscriptRepository } from './transcript.repository.js';
import {
  type FinishedTranscript,
  isFinished,
  queuedTranscript,
  type TranscriptRecord,
  TRANSCRIPTS,
} from './transcript.schema.js';
import { type BatchTimes, TranscriptWorker } from './transcript.worker.js';

const positionOf = positionBy('createdAt');

/** Maximum number of transcripts that one transaction erases. */
const ERASED_AT_ONCE = 50;

/** Transcripts in one query of a list. Each may have 1 MiB. */
const READ_TOGETHER = 8;

/** The status of a transcript that is not finished. */
const stateOf = ({ claimedUntil }: TranscriptRecord): 'queued' | 'processing' =>
  claimedUntil && claimedUntil.getTime() > Date.now() ? 'processing' : 'queued';

/**
 * Derives the id of a transcript from the tenant and the tenant's own identifier. Different tenants get
 * different ids.
 */
function idOf(tenantId: string, externalId: string): string {
  return createHash('sha256').update(`${tenantId}\0${externalId}`).digest('hex').slice(0, 24);
}

/** Accepts, finds and searches transcripts. */
@Injectable()
export class TranscriptService {
  constructor(
    private readonly commits: GroupCommit,
    private readonly backlog: TranscriptBacklog,
    private readonly worker: TranscriptWorker,
    private readonly transcripts: TranscriptRepository,
    private readonly store: TranscriptStore,
    private readonly index: VectorIndex,
    @Inject(VECTOR_SEARCH) private readonly vectors: VectorSearch,
    @Inject(EMBEDDER) private readonly embedder: Embedder,
  ) {}

  /**
   * Returns once the transcript is committed as `queued`; it is embedded later. With `givenId` or an
   * `externalId` the call may be repeated: the first version is stored once, and it is not stored again after
   * it was deleted.
   * @throws ProblemError 429 `transcript_queue_full`, 403 `transcripts_off`
   */
  async enqueue(
    { tenantId, features }: TenantIdentity,
    body: CreateTranscriptBody,
    givenId?: string,
  ): Promise<{ id: string }> {
    if (!features.transcripts) throw transcriptsOff();
    const { externalId } = body;
    const name = givenId ?? (externalId === undefined ? undefined : idOf(tenantId, externalId));
    const _id = new Types.ObjectId(name);
    const id = _id.toHexString();
    if (name !== undefined && (await this.transcripts.deleted(tenantId, [_id])).has(id)) return { id };
    const admission = await this.backlog.admit(tenantId);
    let accepted = 0;
    try {
      await this.commit(_id, { ...body, tenantId }, name !== undefined);
      accepted = 1;
    } catch (error) {
      // It was sent before; the first version is kept.
      if (name === undefined || duplicateKeyFields(error) === undefined) throw error;
    } finally {
      admission.settle(accepted);
    }
    if (accepted > 0) this.worker.accepted(accepted);
    return { id };
  }

  /**
   * Returns a transcript, or its status while it is being processed.
   * @throws ProblemError 404 `transcript_not_found`
   */
  async get(tenantId: string, id: string): Promise<TranscriptState> {
    const record = await this.transcripts.find(tenantId, id);
    if (!record) throw notFound('transcript', id);
    return isFinished(record) ? transcriptView(record) : { id, status: stateOf(record) };
  }

  /** Stored transcripts and dead letters, newest first. */
  async list(tenantId: string, query: TranscriptsQuery): Promise<Page<FinishedTranscript>> {
    const { limit, cursor, ...filter } = query;
    const from = dateIdCursor.decode(cursor);
    const read = (count: number, after = from): Promise<FinishedTranscript[]> =>
      this.transcripts.list(tenantId, filter, count, after);
    const page = { limit, from, positionOf, read, batch: READ_TOGETHER, firstBatch: 2 };
    return readPage(dateIdCursor, page, (record) => record);
  }

  /**
   * Deletes the row and its vector, even if the transcript is queued or being processed.
   * @throws ProblemError 404 `transcript_not_found`
   */
  async delete(tenantId: string, id: string): Promise<void> {
    const change = await this.store.delete(tenantId, id);
    this.index.apply(tenantId, this.embedder.model, change);
  }

  /**
   * Deletes all transcripts of a conversation that closings created, searchable ones with their vectors, and
   * `expected` ones, which closings may still create: they are not accepted from now on.
   */
  async eraseConversation(
    tenantId: string,
    { participantId, conversationId }: { participantId: string; conversationId: string },
    expected: readonly string[],
  ): Promise<void> {
    const present = await this.transcripts.ofConversation(tenantId, participantId, conversationId);
    const ids = [...new Set([...expected, ...present])];
    for (let begin = 0; begin < ids.length; begin += ERASED_AT_ONCE) {
      const change = await this.store.erase(tenantId, ids.slice(begin, begin + ERASED_AT_ONCE));
      this.index.apply(tenantId, this.embedder.model, change);
    }
  }

  /**
   * Queues a dead letter again.
   * @throws ProblemError 404 `transcript_not_found`, 409 `transcript_not_failed`, 429 `transcript_queue_full`
   */
  async replay(tenantId: string, id: string): Promise<void> {
    const { status } = await this.get(tenantId, id);
    if (status !== 'failed') throw transcriptNotFailed(status);
    if ((await this.requeue(tenantId, [new Types.ObjectId(id)])) > 0) return;
    throw transcriptNotFailed((await this.get(tenantId, id)).status);
  }

  /**
   * Queues up to `limit` dead letters again, newest first. The page ends early if the queue becomes full.
   * @throws ProblemError 400 `invalid_cursor`, 429 `transcript_queue_full` if the queue is already full
   */
  async replayPage(tenantId: string, limit: number, cursor?: string): Promise<ReplayedTranscripts> {
    const rows = await this.transcripts.deadLetters(tenantId, limit + 1, dateIdCursor.decode(cursor));
    const page = rows.slice(0, limit);
    if (page.length === 0) return { replayed: 0, nextCursor: null };
    let taken: typeof page = [];
    const replayed = await this.requeue(
      tenantId,
      page.map(({ _id }) => _id),
      (admitted) => (taken = page.slice(0, admitted)),
    );
    const last = taken.at(-1);
    const hasMore = rows.length > taken.length;
    return { replayed, nextCursor: hasMore && last ? dateIdCursor.encode(positionOf(last)) : null };
  }

  /**
   * Returns the transcripts closest to the query in meaning, best first. Hits that do not fit into
   * MAX_PAGE_BYTES are returned in `further`, without their content.
   * @throws ProblemError 503 `embedding_unavailable`, 502 `embedding_refused`
   */
  async search(tenantId: string, body: SearchTranscriptsBody): Promise<TranscriptHits> {
    const { query, limit, channel, participantId, since, until } = body;
    const vector = await this.vectorOf(query);
    const hits = await this.vectors.search(tenantId, this.embedder.model, vector, {
      limit,
      ...(channel !== undefined && { channel }),
      ...(participantId !== undefined && { participantId }),
      ...(since && { since: since.getTime() }),
      ...(until && { until: until.getTime() }),
    });
    const data: TranscriptHit[] = [];
    let bytes = 0;
    for (let start = 0; start < hits.length; start += READ_TOGETHER) {
      const batch = hits.slice(start, start + READ_TOGETHER);
      const records = await this.transcripts.findMany(
        tenantId,
        batch.map(({ id }) => id),
      );
      const byId = new Map(records.map((record) => [record._id.toHexString(), record]));
      for (const [index, { id, score }] of batch.entries()) {
        const record = byId.get(id);
        if (!record || !isFinished(record)) continue;
        bytes += contentSize(record);
        if (data.length > 0 && bytes > MAX_PAGE_BYTES) return { data, further: hits.slice(start + index) };
        data.push({ ...transcriptView(record), score });
      }
    }
    return { data, further: [] };
  }

  private async commit(
    _id: Types.ObjectId,
    { summary, externalId, ...body }: CreateTranscriptBody & { tenantId: string },
    isNamed: boolean,
  ): Promise<void> {
    const accepted = { ...body, summary, externalId };
    const bytes = mongo.BSON.calculateObjectSize(body) + Buffer.byteLength(summary ?? '');
    await this.commits.commit({
      bytes,
      write: (writer) => {
        const at = { createdAt: writer.stamp, queuedAt: writer.stamp };
        writer.insert(TRANSCRIPTS, queuedTranscript(_id, accepted, at, { isNamed }));
      },
    });
  }

  /** Queues as many of the dead letters as the limit allows, and returns their number. */
  private async requeue(
    tenantId: string,
    ids: readonly Types.ObjectId[],
    onAdmitted?: (count: number) => void,
  ): Promise<number> {
    const admission = await this.backlog.admit(tenantId, ids.length);
    onAdmitted?.(admission.count);
    let requeued = 0;
    try {
      requeued = await this.store.requeue(tenantId, ids.slice(0, admission.count));
    } finally {
      admission.settle(requeued);
    }
    if (requeued > 0) this.worker.accepted(requeued);
    return requeued;
  }

  private async vectorOf(query: string): Promise<Float32Array> {
    try {
      const [vector] = await this.embedder.embed([query]);
      if (vector) return vector;
    } catch (error) {
      if (error instanceof EmbeddingError) throw queryNotEmbedded(error);
      throw error;
    }
    throw new Error('the embedder returned no vector');
  }

  /** Calls `listener` after each batch that this process stores. The returned function unsubscribes it. */
  onBatch(listener: (batch: BatchTimes) => void): () => void {
    return this.worker.onBatch(listener);
  }
}
