import { Injectable } from '@nestjs/common';
import { Types } from 'mongoose';
import { KeyedSerializer, retry } from '../common/index.js';
import { duplicateKeyFields, TransactionRunner } from '../database/index.js';
import type { CommittedChange } from './search/vector-source.js';
import { TranscriptRepository } from './transcript.repository.js';
import type { TranscriptRecord } from './transcript.schema.js';
import { vectorRow } from './transcript-vectors.js';

export type NewTranscript = Omit<TranscriptRecord, 'tenantId' | 'changeSeq' | 'storedAt'>;

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
  /** Deleted by this process while they waited to be stored. */
  private readonly deletedEarly = new Set<string>();

  constructor(
    private readonly transcripts: TranscriptRepository,
    private readonly transactions: TransactionRunner,
  ) {}

  /**
   * Stores transcripts of one tenant, all or none; those that are stored already or were deleted are left out. Answers what was written, and
   * undefined when nothing was left. `areFresh`: this process made their ids and tries to store them for the first time, so that nobody else
   * can have stored or deleted them, which saves the look for them.
   */
  async insert(
    tenantId: string,
    items: readonly NewTranscript[],
    { areFresh = false } = {},
  ): Promise<CommittedChange | undefined> {
    const ids = items.map(({ _id }) => _id);
    let isToLook = !areFresh;
    const change = await this.change(tenantId, async () => {
      const seq = await this.transcripts.nextChange(tenantId);
      isToLook ||= ids.some((id) => this.deletedEarly.has(id.toHexString()));
      const known = isToLook ? await this.transcripts.known(tenantId, ids) : new Set<string>();
      // Should an id be taken against all expectation, the next try looks.
      isToLook = true;
      // A transcript that was accepted twice may come twice in one batch.
      const once = new Map(items.map((item) => [item._id.toHexString(), item]));
      const left = [...once].flatMap(([id, item]) => (known.has(id) ? [] : [item]));
      if (left.length === 0) return undefined;
      const records = left.map((item) => ({ ...item, tenantId, changeSeq: seq, storedAt: new Date() }));
      await this.transcripts.insert(tenantId, records);
      return { seq, rows: records.flatMap((record) => vectorRow(record) ?? []), deletedIds: [] };
    });
    for (const id of ids) this.deletedEarly.delete(id.toHexString());
    return change;
  }

  /** Deletes a transcript, also one that is still to come; `wasStored` tells which. */
  async delete(tenantId: string, id: string): Promise<{ change: CommittedChange; wasStored: boolean }> {
    const answer = await this.change(tenantId, async () => {
      // Before the outcome is known: a delete that fails at its commit may have taken place.
      this.deletedEarly.add(id);
      const seq = await this.transcripts.nextChange(tenantId);
      const wasStored = await this.transcripts.delete(tenantId, new Types.ObjectId(id), seq, new Date());
      return { change: { seq, rows: [], deletedIds: [id] }, wasStored };
    });
    if (answer.wasStored) this.deletedEarly.delete(id);
    return answer;
  }

  private change<T>(tenantId: string, work: () => Promise<T>): Promise<T> {
    return this.turns.run(tenantId, () => retry(() => this.transactions.run(work), firstChange));
  }
}
