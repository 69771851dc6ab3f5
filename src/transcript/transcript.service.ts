import { Inject, Injectable } from '@nestjs/common';
import { mongo, Types } from 'mongoose';
import { sameJson, withRetries } from '../common/index.js';
import { DuplicateKeyError, GroupCommit, positionBy, transactionContention } from '../database/index.js';
import { contentSize, dateIdCursor, MAX_PAGE_BYTES, notFound, type Page, readPage } from '../http/index.js';
import {
  EMBEDDER,
  type Embedder,
  EmbeddingError,
  VECTOR_SEARCH,
  type VectorSearch,
  VectorIndex,
} from '../search/index.js';
import { ErasedIds, type TenantIdentity } from '../tenant/index.js';
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
import {
  queryNotEmbedded,
  transcriptExternalIdInUse,
  transcriptNotFailed,
  transcriptsOff,
} from './transcript.errors.js';
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

/** A transcript with this id or externalId is stored already. */
const isStoredBefore = (error: unknown): boolean =>
  error instanceof DuplicateKeyError && error.collection === TRANSCRIPTS;

const contentOf = ({
  participantId,
  channel,
  transcript,
  summary,
  metadata,
}: CreateTranscriptBody | TranscriptRecord): object => ({
  participantId,
  channel,
  transcript,
  summary,
  metadata,
});

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
    private readonly erasedIds: ErasedIds,
    @Inject(VECTOR_SEARCH) private readonly vectors: VectorSearch,
    @Inject(EMBEDDER) private readonly embedder: Embedder,
  ) {}

  /**
   * Returns once the transcript is committed as `queued`; it is embedded later. With an `externalId` the call
   * may be repeated: the transcript is stored once, until it is deleted. With `givenId` it may be repeated,
   * too; it is not stored again after it was deleted, even with other contents.
   * @throws ProblemError 409 `external_id_in_use` by a transcript with other contents
   * @throws ProblemError 429 `transcript_queue_full`, 403 `transcripts_off`
   * @throws ProblemError 410 `erased` if the data of its participant was erased
   */
  async enqueue(
    { tenantId, features }: TenantIdentity,
    body: CreateTranscriptBody,
    givenId?: string,
  ): Promise<{ id: string }> {
    if (!features.transcripts) throw transcriptsOff();
    if (givenId !== undefined && (await this.wasDeleted(tenantId, new Types.ObjectId(givenId))))
      return { id: givenId };
    const { externalId } = body;
    return withRetries(async ({ remainingMs }) => {
      // On each attempt: it may have been erased since the last.
      if (externalId !== undefined) await this.erasedIds.refuse(tenantId, 'transcript', [externalId]);
      try {
        return { id: await this.accept(tenantId, body, givenId, remainingMs) };
      } catch (error) {
        if (!isStoredBefore(error)) throw error;
        const id = givenId ?? (await this.storedBefore(tenantId, body));
        // It was deleted in the meantime; the retry stores it.
        if (id === undefined) throw error;
        return { id };
      }
    }, isStoredBefore).catch((error: unknown) => {
      throw isStoredBefore(error) ? transactionContention() : error;
    });
  }

  /** Whether the transcript exists, in any status. */
  exists(tenantId: string, id: Types.ObjectId): Promise<boolean> {
    return this.transcripts.exists(tenantId, id);
  }

  /** Whether the transcript was deleted within TRANSCRIPT_TOMBSTONE_DAYS. */
  async wasDeleted(tenantId: string, id: Types.ObjectId): Promise<boolean> {
    return (await this.transcripts.deleted(tenantId, [id])).size > 0;
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

  /**
   * Stores the transcript and returns its id.
   * @throws DuplicateKeyError if its id or externalId is stored already
   */
  private async accept(
    tenantId: string,
    { summary, externalId, ...body }: CreateTranscriptBody,
    givenId: string | undefined,
    timeoutMs: number,
  ): Promise<string> {
    const _id = new Types.ObjectId(givenId);
    const content = { ...body, tenantId, summary, externalId };
    const bytes = mongo.BSON.calculateObjectSize(body) + Buffer.byteLength(summary ?? '');
    const admission = await this.backlog.admit(tenantId);
    let accepted = 0;
    try {
      await this.commits.commit(
        {
          bytes,
          write: (writer) => {
            const at = { createdAt: writer.stamp, queuedAt: writer.stamp };
            const record = queuedTranscript(_id, content, at, { isNamed: givenId !== undefined });
            writer.insert(TRANSCRIPTS, record, { unique: 'externalId' });
          },
        },
        timeoutMs,
      );
      accepted = 1;
    } finally {
      admission.settle(accepted);
    }
    this.worker.accepted(accepted);
    return _id.toHexString();
  }

  /**
   * Returns the id of the transcript that was sent before with the same externalId and contents.
   * @throws ProblemError 409 `external_id_in_use` if its contents are different
   */
  private async storedBefore(tenantId: string, body: CreateTranscriptBody): Promise<string | undefined> {
    const { externalId } = body;
    if (externalId === undefined) return undefined;
    const stored = await this.transcripts.findByExternalId(tenantId, externalId);
    if (!stored) return undefined;
    const id = stored._id.toHexString();
    if (!sameJson(contentOf(body), contentOf(stored))) throw transcriptExternalIdInUse(externalId, id);
    return id;
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
