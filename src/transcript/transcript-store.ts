import { Injectable } from '@nestjs/common';
import { type mongo, Types } from 'mongoose';
import { KeyedSerializer, retry } from '../common/index.js';
import { duplicateKeyFields, TransactionRunner } from '../database/index.js';
import type { CommittedChange } from './search/vector-source.js';
import { TranscriptRepository } from './transcript.repository.js';
import type { TranscriptRecord } from './transcript.schema.js';
import { vectorRow } from './transcript-vectors.js';

export type NewTranscript = Omit<TranscriptRecord, 'tenantId' | 'changeSeq' | 'storedAt'>;

/** A vector for a row that has one of another model. */
export interface NewVector {
  _id: Types.ObjectId;
  vector: mongo.Binary;
}

/** The first change of a tenant may meet another first one: its counter is there the next time. */
const firstChange = {
  retries: 3,
  baseMs: 5,
  maxMs: 50,
  jitter: 1,
  shouldRetry: (error: unknown) => duplicateKeyFields(error) !== undefined,
};

/** Writes transcripts: each change of a tenant in one transaction, one after the other, with its number. */
@Injectable()
export class TranscriptStore {
  private readonly turns = new KeyedSerializer();

  constructor(
    private readonly transcripts: TranscriptRepository,
    private readonly transactions: TransactionRunner,
  ) {}

  /**
   * Stores transcripts of one tenant, all or none; those that are stored already, were deleted or come twice are left out. Answers what was written, and
   * undefined when nothing was left.
   */
  async insert(tenantId: string, items: readonly NewTranscript[]): Promise<CommittedChange | undefined> {
    return this.change(tenantId, async () => {
      const seq = await this.transcripts.nextChange(tenantId);
      const known = await this.transcripts.known(
        tenantId,
        items.map(({ _id }) => _id),
      );
      // A transcript that was accepted twice may come twice in one batch.
      const once = new Map(items.map((item) => [item._id.toHexString(), item]));
      const fresh = [...once].flatMap(([id, item]) => (known.has(id) ? [] : [item]));
      if (fresh.length === 0) return undefined;
      const records = fresh.map((item) => ({ ...item, tenantId, changeSeq: seq, storedAt: new Date() }));
      await this.transcripts.insert(tenantId, records);
      return { seq, rows: records.flatMap((record) => vectorRow(record) ?? []), deletedIds: [] };
    });
  }

  /** Deletes a transcript, also one that is still to come; `wasStored` tells which. */
  async delete(tenantId: string, id: string): Promise<{ change: CommittedChange; wasStored: boolean }> {
    return this.change(tenantId, async () => {
      const seq = await this.transcripts.nextChange(tenantId);
      const wasStored = await this.transcripts.delete(tenantId, new Types.ObjectId(id), seq, new Date());
      return { change: { seq, rows: [], deletedIds: [id] }, wasStored };
    });
  }

  /** Writes vectors of another model, all or none; rows that are gone or have a vector of `from` no more stay as they are. Answers how many were written. */
  async reembed(tenantId: string, from: string, to: string, items: readonly NewVector[]): Promise<number> {
    if (items.length === 0) return 0;
    return this.change(tenantId, async () => {
      const seq = await this.transcripts.nextChange(tenantId);
      return this.transcripts.changeModel(tenantId, from, to, items, seq);
    });
  }

  private change<T>(tenantId: string, work: () => Promise<T>): Promise<T> {
    return this.turns.run(tenantId, () => retry(() => this.transactions.run(work), firstChange));
  }
}
