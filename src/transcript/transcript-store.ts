import { Injectable } from '@nestjs/common';
import { type mongo, Types } from 'mongoose';
import { KeyedSerializer, retryPolicy } from '../common/index.js';
import { duplicateKeyFields, TransactionRunner } from '../database/index.js';
import { notFound } from '../http/index.js';
import type { CommittedChange } from '../search/index.js';
import { vectorRow } from './transcript-vectors.js';
import { type Outcome, type Tally, TranscriptRepository } from './transcript.repository.js';
import type { FinishedTranscript, QueuedTranscript } from './transcript.schema.js';

export type NewTranscript = Omit<FinishedTranscript, 'tenantId' | 'changeSeq' | 'storedAt'>;

/** A vector for a row that has one of another model. */
export interface NewVector {
  _id: Types.ObjectId;
  vector: mongo.Binary;
}

/** The first change of a tenant may meet another first one: its counter is there the next time. */
const retryFirstChange = retryPolicy({
  attempts: 4,
  backoff: { baseMs: 5, maxMs: 50, jitter: 1 },
  isRetryable: (error) => duplicateKeyFields(error) !== undefined,
});

const tallyOf = (items: readonly Pick<Outcome, 'status'>[]): Required<Tally> => {
  const dead = items.filter(({ status }) => status === 'failed').length;
  return {
    stored: items.length - dead,
    dead,
    failures: dead,
    batches: items.length === 0 ? 0 : 1,
    batched: items.length,
  };
};

const difference = (a: Required<Tally>, b: Required<Tally>): Required<Tally> => ({
  stored: a.stored - b.stored,
  dead: a.dead - b.dead,
  failures: a.failures - b.failures,
  batches: a.batches - b.batches,
  batched: a.batched - b.batched,
});

/** A claimed transcript, and what became of it. */
export interface ProcessedTranscript {
  record: QueuedTranscript;
  outcome: Outcome;
}

/** What one batch changed of one tenant. */
export interface TenantChange {
  tenantId: string;
  change: CommittedChange;
  stored: number;
  dead: number;
}

/** Changes what is stored: each change of a tenant in one transaction, one after the other, with its number. */
@Injectable()
export class TranscriptStore {
  private readonly turns = new KeyedSerializer();

  constructor(
    private readonly transcripts: TranscriptRepository,
    private readonly transactions: TransactionRunner,
  ) {}

  /**
   * Finishes a batch in one transaction, all or none; left out are those that the claim does not hold any more (they were deleted, or the lease
   * expired), and deleted are those whose id has a tombstone. Returns the change of each tenant of which something was written.
   */
  async finish(claim: string, batch: readonly ProcessedTranscript[]): Promise<TenantChange[]> {
    const byTenant = new Map<string, ProcessedTranscript[]>();
    for (const one of batch) {
      const ofTenant = byTenant.get(one.record.tenantId);
      if (ofTenant) ofTenant.push(one);
      else byTenant.set(one.record.tenantId, [one]);
    }
    // In one order everywhere: then no two batches wait for each other.
    const tenants = [...byTenant].toSorted(([a], [b]) => (a < b ? -1 : 1));
    return this.change(
      tenants.map(([tenantId]) => tenantId),
      async () => {
        const changes: TenantChange[] = [];
        for (const [tenantId, items] of tenants) {
          const change = await this.finishOf(tenantId, claim, items);
          if (change) changes.push(change);
        }
        return changes;
      },
    );
  }

  /** Inserts transcripts that are embedded already. */
  async insert(tenantId: string, items: readonly NewTranscript[]): Promise<CommittedChange> {
    return this.change([tenantId], async () => {
      const seq = await this.transcripts.nextChange(tenantId, tallyOf(items));
      const stamp = { tenantId, changeSeq: seq, storedAt: new Date() };
      const rows = items.map((item) => ({ ...item, ...stamp }));
      await this.transcripts.insert(tenantId, rows);
      return { seq, rows: rows.flatMap((row) => vectorRow(row) ?? []), deletedIds: [] };
    });
  }

  /**
   * Deletes a transcript, whatever its status.
   * @throws ProblemError 404 `transcript_not_found`
   */
  async delete(tenantId: string, id: string): Promise<CommittedChange> {
    return this.change([tenantId], async () => {
      const seq = await this.transcripts.nextChange(tenantId);
      const status = await this.transcripts.delete(tenantId, new Types.ObjectId(id), seq, new Date());
      if (status === undefined) throw notFound('transcript', id);
      if (status === 'stored') await this.transcripts.count(tenantId, { stored: -1 });
      if (status === 'failed') await this.transcripts.count(tenantId, { dead: -1 });
      return { seq, rows: [], deletedIds: [id] };
    });
  }

  /** Of these ids, the dead letters are queued again; returns how many those were. */
  async requeue(tenantId: string, ids: readonly Types.ObjectId[]): Promise<number> {
    return this.change([tenantId], async () => {
      const requeued = await this.transcripts.requeue(tenantId, ids, new Date());
      if (requeued > 0) await this.transcripts.count(tenantId, { dead: -requeued });
      return requeued;
    });
  }

  /** Writes vectors of another model, all or none; rows that are gone or have a vector of `from` no more stay as they are. Returns how many were written. */
  async reembed(tenantId: string, from: string, to: string, items: readonly NewVector[]): Promise<number> {
    if (items.length === 0) return 0;
    return this.change([tenantId], async () => {
      const seq = await this.transcripts.nextChange(tenantId);
      return this.transcripts.changeModel(tenantId, from, to, items, seq);
    });
  }

  /** Deletes up to `limit` tombstones from before a time; returns how many there were. Readers who may miss them read all vectors again. */
  async forget(tenantId: string, before: Date, limit: number): Promise<number> {
    const old = await this.transcripts.oldTombstones(tenantId, before, limit);
    if (old.length > 0) await this.change([tenantId], () => this.transcripts.forget(tenantId, old, before));
    return old.length;
  }

  private async finishOf(
    tenantId: string,
    claim: string,
    items: readonly ProcessedTranscript[],
  ): Promise<TenantChange | undefined> {
    const outcomes = items.map(({ outcome }) => outcome);
    const expected = tallyOf(outcomes);
    const seq = await this.transcripts.nextChange(tenantId, expected);
    const storedAt = new Date();
    const wanted = await this.withoutDeleted(tenantId, claim, items);
    const matched =
      wanted.length === 0
        ? 0
        : await this.transcripts.finish(
            tenantId,
            claim,
            wanted.map(({ outcome }) => outcome),
            { changeSeq: seq, storedAt },
          );
    let written = wanted;
    if (matched < wanted.length) {
      const ids = await this.transcripts.writtenBy(tenantId, seq);
      written = wanted.filter(({ record }) => ids.has(record._id.toHexString()));
    }
    const tally = tallyOf(written.map(({ outcome }) => outcome));
    if (written.length < items.length) await this.transcripts.count(tenantId, difference(tally, expected));
    if (written.length === 0) return undefined;
    const rows = written.flatMap(({ record, outcome }) => vectorRow({ ...record, ...outcome }) ?? []);
    return {
      tenantId,
      change: { seq, rows, deletedIds: [] },
      stored: tally.stored,
      dead: tally.dead,
    };
  }

  /**
   * Deletes those of the batch that have a tombstone, and returns the others. A named transcript may be sent again at the moment at which it is
   * deleted, and be accepted: here the two meet.
   */
  private async withoutDeleted(
    tenantId: string,
    claim: string,
    items: readonly ProcessedTranscript[],
  ): Promise<readonly ProcessedTranscript[]> {
    const named = items.flatMap(({ record }) => (record.isNamed ? [record._id] : []));
    if (named.length === 0) return items;
    const deleted = await this.transcripts.deleted(tenantId, named);
    if (deleted.size === 0) return items;
    await this.transcripts.discard(
      tenantId,
      claim,
      named.filter((id) => deleted.has(id.toHexString())),
    );
    return items.filter(({ record }) => !deleted.has(record._id.toHexString()));
  }

  /** Tenants come in ascending order. */
  private change<T>([tenantId, ...others]: readonly string[], work: () => Promise<T>): Promise<T> {
    if (tenantId === undefined) return retryFirstChange(() => this.transactions.run(work));
    return this.turns.run(tenantId, () => this.change(others, work));
  }
}
