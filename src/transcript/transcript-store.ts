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

/** Of one batch, what is one tenant's. */
export interface TenantBatch {
  tenantId: string;
  items: readonly NewTranscript[];
  /** What another try of dead letters came to. */
  replays: readonly NewTranscript[];
}

export interface TenantChange {
  tenantId: string;
  change: CommittedChange;
}

/** Writes transcripts: each change of a tenant in one transaction, one after the other, with its number. */
@Injectable()
export class TranscriptStore {
  private readonly turns = new KeyedSerializer();

  constructor(
    private readonly transcripts: TranscriptRepository,
    private readonly transactions: TransactionRunner,
  ) {}

  /**
   * Stores a batch in one transaction, all or none; left out are those that are stored already, were deleted or come twice, and replays of
   * what is no dead letter any more. Answers the change of each tenant of which something was written. `isFresh`: of an id that only this
   * process knows, and that was not tried to be stored: nobody can have stored or deleted it, which saves the look. It is asked when the
   * transaction has begun, for a deletion may come in between.
   */
  async save(
    batches: readonly TenantBatch[],
    isFresh: (id: string) => boolean = () => false,
  ): Promise<TenantChange[]> {
    // In one order everywhere: then no two batches wait for each other.
    const sorted = batches.toSorted((a, b) => (a.tenantId < b.tenantId ? -1 : 1));
    let isFirstTry = true;
    return this.change(
      sorted.map(({ tenantId }) => tenantId),
      async () => {
        // Should an id be taken against all expectation, the next try looks.
        const known = isFirstTry ? isFresh : () => false;
        isFirstTry = false;
        const changes: TenantChange[] = [];
        for (const batch of sorted) {
          const change = await this.write(batch, known);
          if (change) changes.push({ tenantId: batch.tenantId, change });
        }
        return changes;
      },
    );
  }

  /** `save` of one tenant. */
  async insert(tenantId: string, items: readonly NewTranscript[]): Promise<CommittedChange | undefined> {
    const [saved] = await this.save([{ tenantId, items, replays: [] }]);
    return saved?.change;
  }

  /** Deletes a transcript, also one that is still to come; `wasStored` tells which. */
  async delete(tenantId: string, id: string): Promise<{ change: CommittedChange; wasStored: boolean }> {
    return this.change([tenantId], async () => {
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
    return this.change([tenantId], async () => {
      const seq = await this.transcripts.nextChange(tenantId);
      return this.transcripts.changeModel(tenantId, from, to, items, seq);
    });
  }

  /** Deletes up to `limit` tombstones from before a time; answers how many there were. Readers who may miss them build anew. */
  async forget(tenantId: string, before: Date, limit: number): Promise<number> {
    const old = await this.transcripts.oldTombstones(tenantId, before, limit);
    if (old.length > 0) await this.change([tenantId], () => this.transcripts.forget(tenantId, old, before));
    return old.length;
  }

  private async write(
    { tenantId, items, replays }: TenantBatch,
    isFresh: (id: string) => boolean,
  ): Promise<CommittedChange | undefined> {
    const seq = await this.transcripts.nextChange(tenantId, tallyOf(items));
    const stamp = { tenantId, changeSeq: seq, storedAt: new Date() };
    const fresh = (await this.unknown(tenantId, items, isFresh)).map((item) => ({ ...item, ...stamp }));
    if (fresh.length < items.length)
      await this.transcripts.count(tenantId, difference(tallyOf(fresh), tallyOf(items)));
    if (fresh.length > 0) await this.transcripts.insert(tenantId, fresh);
    const replayed = (await this.stillDead(tenantId, replays)).map((item) => ({ ...item, ...stamp }));
    if (replayed.length > 0) {
      await this.transcripts.replaceDead(tenantId, replayed);
      const { stored, ...rest } = tallyOf(replayed);
      await this.transcripts.count(tenantId, { ...rest, stored, dead: -stored });
    }
    const written = [...fresh, ...replayed];
    if (written.length === 0) return undefined;
    return { seq, rows: written.flatMap((record) => vectorRow(record) ?? []), deletedIds: [] };
  }

  private async unknown(
    tenantId: string,
    items: readonly NewTranscript[],
    isFresh: (id: string) => boolean,
  ): Promise<NewTranscript[]> {
    const once = onceEach(items);
    const doubtful = once.map(({ _id }) => _id).filter((id) => !isFresh(id.toHexString()));
    if (doubtful.length === 0) return once;
    const known = await this.transcripts.known(tenantId, doubtful);
    return once.filter(({ _id }) => !known.has(_id.toHexString()));
  }

  private async stillDead(tenantId: string, items: readonly NewTranscript[]): Promise<NewTranscript[]> {
    if (items.length === 0) return [];
    const dead = await this.transcripts.dead(
      tenantId,
      items.map(({ _id }) => _id),
    );
    return onceEach(items).filter(({ _id }) => dead.has(_id.toHexString()));
  }

  /** Tenants come in ascending order. */
  private change<T>([tenantId, ...others]: readonly string[], work: () => Promise<T>): Promise<T> {
    if (tenantId === undefined) return retry(() => this.transactions.run(work), firstChange);
    return this.turns.run(tenantId, () => this.change(others, work));
  }
}
