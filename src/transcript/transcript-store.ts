import { Injectable } from '@nestjs/common';
import { type mongo, Types } from 'mongoose';
import { KeyedSerializer, retry } from '../common/index.js';
import { duplicateKeyFields, TransactionRunner } from '../database/index.js';
import type { CommittedChange } from './search/vector-source.js';
import { type Tally, TranscriptRepository } from './transcript.repository.js';
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

const tallyOf = (items: readonly NewTranscript[]): Required<Tally> => {
  const dead = items.filter(({ status }) => status === 'failed').length;
  return {
    stored: items.length - dead,
    dead,
    failures: dead,
    batches: items.length === 0 ? 0 : 1,
    batched: items.length,
  };
};

/** An id that was accepted twice may be in one batch twice. */
const onceEach = (items: readonly NewTranscript[]): NewTranscript[] => [
  ...new Map(items.toReversed().map((item) => [item._id.toHexString(), item])).values(),
];

const difference = (a: Required<Tally>, b: Required<Tally>): Required<Tally> => ({
  stored: a.stored - b.stored,
  dead: a.dead - b.dead,
  failures: a.failures - b.failures,
  batches: a.batches - b.batches,
  batched: a.batched - b.batched,
});

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
      const seq = await this.transcripts.nextChange(tenantId, tallyOf(items));
      const known = await this.transcripts.known(
        tenantId,
        items.map(({ _id }) => _id),
      );
      const fresh = onceEach(items).filter(({ _id }) => !known.has(_id.toHexString()));
      if (fresh.length < items.length)
        await this.transcripts.count(tenantId, difference(tallyOf(fresh), tallyOf(items)));
      if (fresh.length === 0) return undefined;
      const records = fresh.map((item) => ({ ...item, tenantId, changeSeq: seq, storedAt: new Date() }));
      await this.transcripts.insert(tenantId, records);
      return { seq, rows: records.flatMap((record) => vectorRow(record) ?? []), deletedIds: [] };
    });
  }

  /**
   * Stores what another try of dead letters came to, all or none; those that are no dead letters any more are left out. Answers what was
   * written, and undefined when nothing was left.
   */
  async replay(tenantId: string, items: readonly NewTranscript[]): Promise<CommittedChange | undefined> {
    return this.change(tenantId, async () => {
      const seq = await this.transcripts.nextChange(tenantId);
      const dead = await this.transcripts.dead(
        tenantId,
        items.map(({ _id }) => _id),
      );
      const open = onceEach(items).filter(({ _id }) => dead.has(_id.toHexString()));
      if (open.length === 0) return undefined;
      const records = open.map((item) => ({ ...item, tenantId, changeSeq: seq, storedAt: new Date() }));
      await this.transcripts.replaceDead(tenantId, records);
      const { stored, ...rest } = tallyOf(open);
      await this.transcripts.count(tenantId, { ...rest, stored, dead: -stored });
      return { seq, rows: records.flatMap((record) => vectorRow(record) ?? []), deletedIds: [] };
    });
  }

  /** Deletes a transcript, also one that is still to come; `wasStored` tells which. */
  async delete(tenantId: string, id: string): Promise<{ change: CommittedChange; wasStored: boolean }> {
    return this.change(tenantId, async () => {
      const seq = await this.transcripts.nextChange(tenantId);
      const status = await this.transcripts.delete(tenantId, new Types.ObjectId(id), seq, new Date());
      const wasStored = status !== undefined;
      if (wasStored)
        await this.transcripts.count(tenantId, { [status === 'stored' ? 'stored' : 'dead']: -1 });
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

  /** Deletes up to `limit` tombstones from before a time; answers how many there were. Readers who may miss them build anew. */
  async forget(tenantId: string, before: Date, limit: number): Promise<number> {
    const old = await this.transcripts.oldTombstones(tenantId, before, limit);
    if (old.length > 0) await this.change(tenantId, () => this.transcripts.forget(tenantId, old, before));
    return old.length;
  }

  private change<T>(tenantId: string, work: () => Promise<T>): Promise<T> {
    return this.turns.run(tenantId, () => retry(() => this.transactions.run(work), firstChange));
  }
}
