import { Injectable } from '@nestjs/common';
import { type mongo, Types } from 'mongoose';
import { KeyedSerializer, retryPolicy } from '../common/index.js';
import { duplicateKeyFields, TransactionRunner } from '../database/index.js';
import { notFound } from '../http/index.js';
import type { CommittedChange } from '../search/index.js';
import { TranscriptArchiveRepository, type TranscriptVersion } from './transcript-archive.repository.js';
import { vectorRow } from './transcript-vectors.js';
import { type Outcome, type Tally, TranscriptRepository } from './transcript.repository.js';
import type { FinishedTranscript, QueuedTranscript } from './transcript.schema.js';

export type NewTranscript = Omit<FinishedTranscript, 'tenantId' | 'changeSeq' | 'storedAt'>;

/** A new vector for a row whose vector comes from another model. */
export interface NewVector {
  _id: Types.ObjectId;
  vector: mongo.Binary;
}

/** Two concurrent first changes of a tenant may both try to insert its counter; the retry finds it. */
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

/** A claimed transcript with its result. */
export interface ProcessedTranscript {
  record: QueuedTranscript;
  outcome: Outcome;
}

/** What one batch changed for one tenant. */
export interface TenantChange {
  tenantId: string;
  change: CommittedChange;
  stored: number;
  dead: number;
}

/**
 * Changes stored transcripts. The changes of a tenant are made one after the other, each in one transaction
 * with its own change number.
 */
@Injectable()
export class TranscriptStore {
  private readonly turns = new KeyedSerializer();

  constructor(
    private readonly transcripts: TranscriptRepository,
    private readonly archived: TranscriptArchiveRepository,
    private readonly transactions: TransactionRunner,
  ) {}

  /**
   * Finishes a batch in one transaction, all or none. Transcripts that the claim no longer holds (because
   * they were deleted or the lease expired) are skipped; those whose id has a tombstone are deleted. Returns
   * the change of each tenant for which something was written.
   */
  async finish(claim: string, batch: readonly ProcessedTranscript[]): Promise<TenantChange[]> {
    const byTenant = new Map<string, ProcessedTranscript[]>();
    for (const one of batch) {
      const ofTenant = byTenant.get(one.record.tenantId);
      if (ofTenant) ofTenant.push(one);
      else byTenant.set(one.record.tenantId, [one]);
    }
    // All batches lock tenants in the same order, which prevents deadlocks.
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

  /** Inserts transcripts that are already embedded. */
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
   * Deletes a transcript in any status.
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

  /** Deletes transcripts in any status. Those that do not exist yet are not accepted later either. */
  async erase(tenantId: string, ids: readonly string[]): Promise<CommittedChange> {
    return this.change([tenantId], async () => {
      const seq = await this.transcripts.nextChange(tenantId);
      const tally = { stored: 0, dead: 0 };
      for (const id of ids) {
        const _id = new Types.ObjectId(id);
        const status = await this.transcripts.delete(tenantId, _id, seq, new Date(), { isExpected: true });
        if (status === 'stored') tally.stored--;
        if (status === 'failed') tally.dead--;
      }
      if (tally.stored < 0 || tally.dead < 0) await this.transcripts.count(tenantId, tally);
      return { seq, rows: [], deletedIds: ids };
    });
  }

  /** Deletes those of the archived transcripts that have not changed since, and returns their ids. */
  async release(
    tenantId: string,
    versions: readonly TranscriptVersion[],
  ): Promise<{ released: Types.ObjectId[]; change: CommittedChange }> {
    return this.change([tenantId], async () => {
      const changeSeq = await this.transcripts.nextChange(tenantId);
      const released: TranscriptVersion[] = [];
      for (const version of versions)
        if (await this.archived.deleteUnchanged(tenantId, version, { changeSeq, at: new Date() }))
          released.push(version);
      const { stored, dead } = tallyOf(released);
      if (released.length > 0) await this.transcripts.count(tenantId, { stored: -stored, dead: -dead });
      const ids = released.map(({ _id }) => _id);
      const deletedIds = ids.map((id) => id.toHexString());
      return { released: ids, change: { seq: changeSeq, rows: [], deletedIds } };
    });
  }

  /** Stores transcripts of an archive again; `insert` inserts them with the given change number. */
  async restore(
    tenantId: string,
    records: readonly FinishedTranscript[],
    insert: (changeSeq: number) => Promise<void>,
  ): Promise<CommittedChange> {
    return this.change([tenantId], async () => {
      const seq = await this.transcripts.nextChange(tenantId);
      await this.archived.forgetDeletion(
        tenantId,
        records.map(({ _id }) => _id),
      );
      await insert(seq);
      const { stored, dead } = tallyOf(records);
      await this.transcripts.count(tenantId, { stored, dead });
      return { seq, rows: records.flatMap((record) => vectorRow(record) ?? []), deletedIds: [] };
    });
  }

  /** Queues those of the ids that are dead letters again, and returns their number. */
  async requeue(tenantId: string, ids: readonly Types.ObjectId[]): Promise<number> {
    return this.change([tenantId], async () => {
      const requeued = await this.transcripts.requeue(tenantId, ids, new Date());
      if (requeued > 0) await this.transcripts.count(tenantId, { dead: -requeued });
      return requeued;
    });
  }

  /**
   * Replaces vectors, all or none, and returns the number written. Rows that were deleted or no longer have a
   * vector of `from` are skipped.
   */
  async reembed(tenantId: string, from: string, to: string, items: readonly NewVector[]): Promise<number> {
    if (items.length === 0) return 0;
    return this.change([tenantId], async () => {
      const seq = await this.transcripts.nextChange(tenantId);
      return this.transcripts.changeModel(tenantId, from, to, items, seq);
    });
  }

  /**
   * Deletes up to `limit` tombstones older than `before`, and returns their number. Readers that may miss one
   * reload all vectors.
   */
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
    if (written.length === 0) {
      // The tenant was deleted in the meantime: this change must not be the only thing that is left of it.
      if (seq === 1) await this.transcripts.dropFirstCounter(tenantId);
      return undefined;
    }
    const rows = written.flatMap(({ record, outcome }) => vectorRow({ ...record, ...outcome }) ?? []);
    return {
      tenantId,
      change: { seq, rows, deletedIds: [] },
      stored: tally.stored,
      dead: tally.dead,
    };
  }

  /**
   * Deletes those of the batch that have a tombstone, and returns the others. A named transcript may be sent
   * again and accepted while it is being deleted; this resolves the conflict in favor of the deletion.
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

  /** Expects tenants in ascending order. */
  private change<T>([tenantId, ...others]: readonly string[], work: () => Promise<T>): Promise<T> {
    if (tenantId === undefined) return retryFirstChange(() => this.transactions.run(work));
    return this.turns.run(tenantId, () => this.change(others, work));
  }
}
