import type { TranscriptArchiveRepository } from './transcript-archive.repository.js';
import { Types } from 'mongoose';
import type { TransactionRunner } from '../database/index.js';
import { encodeVector } from '../search/index.js';
import { type ProcessedTranscript, TranscriptStore } from './transcript-store.js';
import type { TranscriptRepository } from './transcript.repository.js';
import { queuedTranscript } from './transcript.schema.js';

const vector = encodeVector(Float32Array.of(1));

/** A claimed and embedded transcript. */
function processed(tenantId: string, { isNamed = false } = {}): ProcessedTranscript {
  const at = { createdAt: new Date(0), queuedAt: new Date(0) };
  const text = {
    tenantId,
    participantId: 'ana',
    channel: 'web',
    transcript: 'A table for four.',
    metadata: {},
  };
  const record = queuedTranscript(new Types.ObjectId(), text, at, { isNamed });
  return { record, outcome: { _id: record._id, status: 'stored', model: 'm', vector } };
}

const idOf = ({ record }: ProcessedTranscript): string => record._id.toHexString();

describe('TranscriptStore', () => {
  /** Ids of the rows that the claim holds. */
  let claimed: Set<string>;
  let deleted: Set<string>;
  let looks: number;
  let written: string[];
  let tallies: Map<string, Record<string, number>>;
  let transactions: string[][];
  let store: TranscriptStore;

  const claim = (...items: ProcessedTranscript[]): void => {
    for (const item of items) claimed.add(idOf(item));
  };
  const add = (tenantId: string, tally: object): void => {
    const sums = tallies.get(tenantId) ?? {};
    for (const [name, value] of Object.entries(tally) as [string, number][])
      sums[name] = (sums[name] ?? 0) + value;
    tallies.set(tenantId, sums);
  };

  beforeEach(() => {
    claimed = new Set();
    deleted = new Set();
    looks = 0;
    written = [];
    tallies = new Map();
    transactions = [];
    let seq = 0;
    const repository: Partial<TranscriptRepository> = {
      nextChange: (tenantId, tally = {}) => {
        transactions.at(-1)?.push(tenantId);
        add(tenantId, tally);
        return Promise.resolve(++seq);
      },
      count: (tenantId, tally) => {
        add(tenantId, tally);
        return Promise.resolve();
      },
      finish: (_tenantId, _claim, outcomes) => {
        const ids = outcomes.map(({ _id }) => _id.toHexString()).filter((id) => claimed.delete(id));
        written = ids;
        return Promise.resolve(ids.length);
      },
      writtenBy: () => Promise.resolve(new Set(written)),
      deleted: (_tenantId, ids) => {
        looks++;
        return Promise.resolve(new Set(ids.map((id) => id.toHexString()).filter((id) => deleted.has(id))));
      },
      discard: (_tenantId, _claim, ids) => {
        for (const id of ids) claimed.delete(id.toHexString());
        return Promise.resolve();
      },
    };
    const runner = {
      run: <T>(work: () => Promise<T>) => {
        transactions.push([]);
        return work();
      },
    };
    store = new TranscriptStore(
      repository as TranscriptRepository,
      {} as TranscriptArchiveRepository,
      runner as unknown as TransactionRunner,
    );
  });

  it('finishes a batch of several tenants in one transaction, in the order of their names', async () => {
    const [a, b, c] = [processed('shop'), processed('acme'), processed('acme')];
    claim(a, b, c);
    expect(await store.finish('claim', [a, b, c])).toMatchObject([
      { tenantId: 'acme', change: { seq: 1, rows: [{ id: idOf(b) }, { id: idOf(c) }] }, stored: 2 },
      { tenantId: 'shop', change: { seq: 2, rows: [{ id: idOf(a) }] }, stored: 1 },
    ]);
    expect(transactions).toEqual([['acme', 'shop']]);
    expect(tallies.get('acme')).toEqual({ stored: 2, dead: 0, failures: 0, batches: 1, batched: 2 });
  });

  it('neither counts nor indexes transcripts that its claim no longer holds', async () => {
    const [kept, gone] = [processed('acme'), processed('acme')];
    claim(kept);
    expect(await store.finish('claim', [gone, kept])).toMatchObject([
      { change: { rows: [{ id: idOf(kept) }] }, stored: 1 },
    ]);
    expect(tallies.get('acme')).toEqual({ stored: 1, dead: 0, failures: 0, batches: 1, batched: 1 });
    expect(await store.finish('claim', [gone])).toEqual([]);
    expect(tallies.get('acme')).toMatchObject({ stored: 1, batches: 1 });
  });

  it('deletes a named transcript that was deleted before it was accepted again', async () => {
    const [named, other] = [processed('acme', { isNamed: true }), processed('acme')];
    claim(named, other);
    deleted.add(idOf(named));
    expect(await store.finish('claim', [named, other])).toMatchObject([
      { change: { rows: [{ id: idOf(other) }] }, stored: 1 },
    ]);
    expect(claimed.size).toBe(0);
    expect(tallies.get('acme')).toMatchObject({ stored: 1, batched: 1 });
  });

  it('does not query tombstones for transcripts without a name', async () => {
    const item = processed('acme');
    claim(item);
    await store.finish('claim', [item]);
    expect(looks).toBe(0);
  });

  it('counts dead letters as such', async () => {
    const { record } = processed('acme');
    claimed.add(record._id.toHexString());
    const outcome = { _id: record._id, status: 'failed', error: 'no' } as const;
    expect(await store.finish('claim', [{ record, outcome }])).toMatchObject([
      { change: { rows: [] }, stored: 0, dead: 1 },
    ]);
    expect(tallies.get('acme')).toMatchObject({ stored: 0, dead: 1, failures: 1 });
  });
});
