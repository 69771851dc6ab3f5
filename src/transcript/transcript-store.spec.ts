import { mongo, Types } from 'mongoose';
import type { TransactionRunner } from '../database/index.js';
import type { TranscriptRepository } from './transcript.repository.js';
import { encodeVector } from './embedding/vector-codec.js';
import { type NewTranscript, TranscriptStore } from './transcript-store.js';

const item = (): NewTranscript => ({
  _id: new Types.ObjectId(),
  participantId: 'ana',
  channel: 'web',
  transcript: 'A table for four.',
  metadata: {},
  status: 'stored',
  createdAt: new Date(0),
});

const duplicateId = (): Error =>
  new mongo.MongoServerError({ message: 'E11000', code: 11000, keyPattern: { _id: 1 } });

const idOf = ({ _id }: NewTranscript): string => _id.toHexString();

const yes = (): boolean => true;

describe('TranscriptStore', () => {
  let stored: Map<string, string>;
  let deleted: Set<string>;
  let dead: Set<string>;
  let looks: number;
  let counters: Map<string, number>;
  let transactions: string[][];
  let store: TranscriptStore;

  const batch = (tenantId: string, items: NewTranscript[], replays: NewTranscript[] = []) => ({
    tenantId,
    items,
    replays,
  });

  beforeEach(() => {
    stored = new Map();
    deleted = new Set();
    dead = new Set();
    looks = 0;
    counters = new Map();
    transactions = [];
    const repository: Partial<TranscriptRepository> = {
      nextChange: (tenantId) => {
        transactions.at(-1)?.push(tenantId);
        const seq = (counters.get(tenantId) ?? 0) + 1;
        counters.set(tenantId, seq);
        return Promise.resolve(seq);
      },
      count: () => Promise.resolve(),
      known: (_tenantId, ids) => {
        looks++;
        const hex = ids.map((id) => id.toHexString());
        return Promise.resolve(new Set(hex.filter((id) => stored.has(id) || deleted.has(id))));
      },
      insert: (tenantId, records) => {
        const ids = records.map(({ _id }) => _id.toHexString());
        if (ids.some((id) => stored.has(id))) return Promise.reject(duplicateId());
        for (const id of ids) stored.set(id, tenantId);
        return Promise.resolve();
      },
      dead: (_tenantId, ids) =>
        Promise.resolve(new Set(ids.map((id) => id.toHexString()).filter((id) => dead.has(id)))),
      replaceDead: (_tenantId, records) => {
        for (const { _id } of records) dead.delete(_id.toHexString());
        return Promise.resolve();
      },
      delete: (_tenantId, id) => {
        deleted.add(id.toHexString());
        return Promise.resolve(stored.delete(id.toHexString()) ? 'stored' : undefined);
      },
    };
    const runner = {
      run: <T>(work: () => Promise<T>) => {
        transactions.push([]);
        return work();
      },
    };
    store = new TranscriptStore(repository as TranscriptRepository, runner as unknown as TransactionRunner);
  });

  it('looks for ids that come out of a journal, and stores what is new of them', async () => {
    const [known, fresh] = [item(), item()];
    await store.insert('acme', [known]);
    const change = await store.insert('acme', [known, fresh]);
    expect(looks).toBe(2);
    expect(change).toMatchObject({ seq: 2, deletedIds: [] });
    expect([...stored.keys()].sort()).toEqual([idOf(known), idOf(fresh)].sort());
    expect(await store.insert('acme', [known])).toBeUndefined();
  });

  it('stores a batch of several tenants in one transaction, in the order of their names', async () => {
    const [a, b, c] = [item(), item(), item()];
    const changes = await store.save([batch('shop', [a]), batch('acme', [b, c])]);
    expect(transactions).toEqual([['acme', 'shop']]);
    expect(changes).toMatchObject([
      { tenantId: 'acme', change: { seq: 1 } },
      { tenantId: 'shop', change: { seq: 1 } },
    ]);
    expect(Object.fromEntries(stored)).toEqual({ [idOf(a)]: 'shop', [idOf(b)]: 'acme', [idOf(c)]: 'acme' });
  });

  it('stores the first of two with one id', async () => {
    const first = { ...item(), model: 'm', vector: encodeVector(Float32Array.of(1)) };
    const again = { ...first, participantId: 'ben' };
    const change = await store.insert('acme', [first, again]);
    expect(change?.rows).toMatchObject([{ id: idOf(first), participantId: 'ana' }]);
  });

  it('does not look for fresh ids', async () => {
    await store.save([batch('acme', [item(), item()])], yes);
    expect(looks).toBe(0);
    expect(stored.size).toBe(2);
  });

  it('asks whether an id is fresh after the changes before it: what is deleted meanwhile does not come', async () => {
    const [gone, other] = [item(), item()];
    const fresh = new Set([idOf(gone), idOf(other)]);
    const deletion = store.delete('acme', idOf(gone));
    const saving = store.save([batch('acme', [gone, other])], (id) => fresh.has(id));
    fresh.delete(idOf(gone));
    expect((await deletion).wasStored).toBe(false);
    await saving;
    expect([...stored.keys()]).toEqual([idOf(other)]);
    expect(looks).toBe(1);
  });

  it('looks when an id that was held to be fresh is taken', async () => {
    const [taken, other] = [item(), item()];
    stored.set(idOf(taken), 'acme');
    await store.save([batch('acme', [taken, other])], yes);
    expect(looks).toBe(1);
    expect([...stored.keys()]).toEqual([idOf(taken), idOf(other)]);
  });

  it('replays dead letters alone', async () => {
    const [letter, alive] = [item(), item()];
    dead.add(idOf(letter));
    expect(await store.save([batch('acme', [], [letter, alive])])).toMatchObject([{ tenantId: 'acme' }]);
    expect(dead.size).toBe(0);
    expect(await store.save([batch('acme', [], [letter])])).toEqual([]);
  });
});
