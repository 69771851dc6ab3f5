import { mongo, Types } from 'mongoose';
import type { TransactionRunner } from '../database/index.js';
import type { TranscriptRepository } from './transcript.repository.js';
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

describe('TranscriptStore', () => {
  let stored: Set<string>;
  let deleted: Set<string>;
  let looks: number;
  let seq: number;
  let store: TranscriptStore;

  beforeEach(() => {
    stored = new Set();
    deleted = new Set();
    looks = 0;
    seq = 0;
    const repository: Pick<TranscriptRepository, 'nextChange' | 'known' | 'insert' | 'delete'> = {
      nextChange: () => Promise.resolve(++seq),
      known: (_tenantId, ids) => {
        looks++;
        const hex = ids.map((id) => id.toHexString());
        return Promise.resolve(new Set(hex.filter((id) => stored.has(id) || deleted.has(id))));
      },
      insert: (_tenantId, records) => {
        const ids = records.map(({ _id }) => _id.toHexString());
        if (ids.some((id) => stored.has(id))) return Promise.reject(duplicateId());
        for (const id of ids) stored.add(id);
        return Promise.resolve();
      },
      delete: (_tenantId, id) => {
        deleted.add(id.toHexString());
        return Promise.resolve(stored.delete(id.toHexString()));
      },
    };
    const transactions = { run: <T>(work: () => Promise<T>) => work() };
    store = new TranscriptStore(
      repository as TranscriptRepository,
      transactions as unknown as TransactionRunner,
    );
  });

  it('looks for ids that come out of a journal, and stores what is new of them', async () => {
    const [known, fresh] = [item(), item()];
    await store.insert('acme', [known]);
    const change = await store.insert('acme', [known, fresh]);
    expect(looks).toBe(2);
    expect(change).toMatchObject({ seq: 2, deletedIds: [] });
    expect([...stored].sort()).toEqual([known._id.toHexString(), fresh._id.toHexString()].sort());
  });

  it('does not look for fresh ids', async () => {
    await store.insert('acme', [item(), item()], { areFresh: true });
    expect(looks).toBe(0);
    expect(stored.size).toBe(2);
  });

  it('leaves out a fresh one that was deleted before its turn came, and stores the others', async () => {
    const [gone, other] = [item(), item()];
    const deletion = store.delete('acme', gone._id.toHexString());
    const insertion = store.insert('acme', [gone, other], { areFresh: true });
    expect((await deletion).wasStored).toBe(false);
    await insertion;
    expect([...stored]).toEqual([other._id.toHexString()]);
    expect(looks).toBe(1);
  });

  it('does not look again once the deleted one has come by', async () => {
    const gone = item();
    await store.delete('acme', gone._id.toHexString());
    expect(await store.insert('acme', [gone], { areFresh: true })).toBeUndefined();
    await store.insert('acme', [item()], { areFresh: true });
    expect(looks).toBe(1);
  });

  it('looks when an id that was held to be fresh is taken', async () => {
    const taken = item();
    const other = item();
    stored.add(taken._id.toHexString());
    await store.insert('acme', [taken, other], { areFresh: true });
    expect(looks).toBe(1);
    expect([...stored]).toEqual([taken._id.toHexString(), other._id.toHexString()]);
  });
});
