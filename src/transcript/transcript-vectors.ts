import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { TransactionRunner } from '../database/index.js';
import {
  type ChangeCursor,
  type VectorChanges,
  type VectorRow,
  type VectorSource,
  decodeVector,
  dimensionsOf,
} from '../search/index.js';
import { TranscriptRepository } from './transcript.repository.js';
import type { TranscriptRecord } from './transcript.schema.js';

const PAGE = 500;

/** Maximum number of tenants whose counter is remembered: more than have a matrix in memory. */
const MAX_TENANTS = 10_000;

/** Maximum number of changes read at once. */
const CHANGES = 100;

/** The row in the form that a matrix takes, or undefined if it has no vector. */
export function vectorRow({
  _id,
  channel,
  participantId,
  createdAt,
  vector,
}: TranscriptRecord): VectorRow | undefined {
  if (!vector) return undefined;
  return {
    id: _id.toHexString(),
    channel,
    participantId,
    at: createdAt.getTime(),
    vector: decodeVector(vector, dimensionsOf(vector)),
  };
}

const rowsOf = (records: readonly TranscriptRecord[]): VectorRow[] =>
  records.flatMap((record) => vectorRow(record) ?? []);

/**
 * Reads the vectors of transcripts from the database. Reads use transactions for a majority-committed
 * snapshot. Otherwise a change could be read that a failover rolls back; its number would then be assigned to
 * another change, which a matrix that had already counted that number would never see.
 */
@Injectable()
export class TranscriptVectors implements VectorSource {
  /** The id of each tenant's counter when `head` was called; empty if it had none. */
  private readonly counters = new LRUCache<string, string>({ max: MAX_TENANTS });

  constructor(
    private readonly transcripts: TranscriptRepository,
    private readonly transactions: TransactionRunner,
  ) {}

  async head(tenantId: string): Promise<ChangeCursor> {
    const counter = await this.transactions.run(() => this.transcripts.counter(tenantId));
    this.counters.set(tenantId, counter?._id?.toHexString() ?? '');
    return counter?.seq ?? 0;
  }

  async *vectors(tenantId: string, model: string, signal: AbortSignal): AsyncIterable<readonly VectorRow[]> {
    let after: string | undefined;
    for (;;) {
      signal.throwIfAborted();
      const from = after;
      const records = await this.transactions.run(() =>
        this.transcripts.vectors(tenantId, model, from, PAGE),
      );
      if (records.length > 0) yield rowsOf(records);
      if (records.length < PAGE) return;
      after = records.at(-1)?._id?.toHexString();
    }
  }

  async changes(tenantId: string, model: string, after: ChangeCursor): Promise<VectorChanges | undefined> {
    // Usually nothing has changed, and this one read is sufficient: a majority-committed counter is not
    // rolled back.
    const latest = await this.transcripts.counter(tenantId);
    if (this.hasRestarted(tenantId, after, latest?._id?.toHexString() ?? '')) return undefined;
    if ((latest?.seq ?? 0) === after && (latest?.forgottenSeq ?? 0) <= after)
      return { rows: [], deletedIds: [], cursor: after, hasMore: false };
    return this.transactions.run(() => this.changesOfSnapshot(tenantId, model, after));
  }

  /**
   * Whether the tenant was deleted since `head` was called. A tenant created again with its id counts its
   * changes from the beginning.
   */
  private hasRestarted(tenantId: string, after: ChangeCursor, counter: string): boolean {
    const known = this.counters.get(tenantId);
    if (known === undefined || known === counter) return false;
    if (known !== '' || after !== 0) return true;
    this.counters.set(tenantId, counter);
    return false;
  }

  private async changesOfSnapshot(
    tenantId: string,
    model: string,
    after: ChangeCursor,
  ): Promise<VectorChanges | undefined> {
    const { seq = 0, forgottenSeq = 0 } = (await this.transcripts.counter(tenantId)) ?? {};
    if (seq < after || forgottenSeq > after) return undefined;
    const cursor = Math.min(seq, after + CHANGES);
    if (cursor === after) return { rows: [], deletedIds: [], cursor, hasMore: false };
    const changed = await this.transcripts.changedBetween(tenantId, after, cursor);
    const deleted = await this.transcripts.deletedBetween(tenantId, after, cursor);
    return {
      rows: rowsOf(changed.filter((record) => record.model === model)),
      deletedIds: [
        ...changed.filter((record) => record.model !== model).map(({ _id }) => _id.toHexString()),
        ...deleted.map(({ transcriptId }) => transcriptId.toHexString()),
      ],
      cursor,
      hasMore: cursor < seq,
    };
  }
}
