import type { Connection, mongo } from 'mongoose';
import { BatchedReads } from './batched-reads.js';
import type { TransactionRunner } from './transaction-runner.js';

interface SentFind {
  filter: mongo.Document;
  options: mongo.FindOptions;
}

function setUp(rows: readonly mongo.Document[] = []) {
  const sent: SentFind[] = [];
  const server = { session: undefined as mongo.ClientSession | undefined, fails: false };
  const find = (filter: mongo.Document, options: mongo.FindOptions) => {
    sent.push({ filter, options });
    return {
      toArray: () =>
        server.fails ? Promise.reject(new Error('server unavailable')) : Promise.resolve([...rows]),
    };
  };
  const connection = { db: { collection: () => ({ find }) } } as unknown as Connection;
  const transactions = {
    get session() {
      return server.session;
    },
  } as TransactionRunner;
  return { reads: new BatchedReads(connection, transactions), sent, server };
}

const message = (tenantId: string, conversation: string, seq: number): mongo.Document => ({
  tenantId,
  conversation,
  seq,
});

describe('reads by field', () => {
  it('in the same turn share one query that contains each value once', async () => {
    const ana = { tenantId: 'acme', name: 'ana', n: 1 };
    const { reads, sent } = setUp([ana]);
    const { find } = reads.byField('people', 'name');
    const found = await Promise.all([find('acme', 'ana'), find('acme', 'ben'), find('acme', 'ana')]);
    expect(found).toEqual([ana, null, ana]);
    expect(sent.map(({ filter }) => filter)).toEqual([{ tenantId: 'acme', name: { $in: ['ana', 'ben'] } }]);
  });

  it('in a later turn are sent again', async () => {
    const { reads, sent } = setUp();
    const { find } = reads.byField('people', 'name');
    await find('acme', 'ana');
    await find('acme', 'ana');
    expect(sent).toHaveLength(2);
    expect(sent[0]?.filter).toEqual({ tenantId: 'acme', name: 'ana' });
  });

  it('include the tenant of each value in the query', async () => {
    const { reads, sent } = setUp();
    const { find } = reads.byField('people', 'name');
    await Promise.all([find('acme', 'ana'), find('other', 'ben'), find('acme', 'cid')]);
    expect(sent.map(({ filter }) => filter)).toEqual([
      {
        $or: [
          { tenantId: 'acme', name: { $in: ['ana', 'cid'] } },
          { tenantId: 'other', name: 'ben' },
        ],
      },
    ]);
  });

  it('never return a row of another tenant, whatever the database returns', async () => {
    const { reads } = setUp([{ tenantId: 'other', name: 'ana' }]);
    const { find, findMany } = reads.byField('people', 'name');
    expect(await Promise.all([find('acme', 'ana'), find('other', 'ben'), findMany('acme', ['ana'])])).toEqual(
      [null, null, []],
    );
  });

  it('are limited to 100 per query', async () => {
    const { reads, sent } = setUp();
    await reads.byField('people', 'name').findMany(
      'acme',
      Array.from({ length: 250 }, (_, n) => `p${n}`),
    );
    expect(sent.map(({ options }) => options.batchSize)).toEqual([101, 101, 51]);
  });

  it('all fail with the error of their query, while later ones succeed', async () => {
    const { reads, server } = setUp();
    const { find } = reads.byField('people', 'name');
    server.fails = true;
    const outcomes = await Promise.allSettled([find('acme', 'ana'), find('other', 'ben')]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    server.fails = false;
    expect(await find('acme', 'ana')).toBeNull();
  });

  it('in a transaction each use their own query in its session', async () => {
    const { reads, sent, server } = setUp();
    const { find, findMany } = reads.byField('people', 'name');
    const outside = find('acme', 'ana');
    const session = {} as mongo.ClientSession;
    server.session = session;
    const inside = [find('acme', 'ben'), findMany('acme', ['cid', 'dan'])];
    server.session = undefined;
    await Promise.all([outside, ...inside]);
    expect(sent.map(({ filter, options }) => [filter['name'] as unknown, options.session])).toEqual([
      ['ben', session],
      [{ $in: ['cid', 'dan'] }, session],
      ['ana', undefined],
    ]);
  });

  it('send no query when there are no values', async () => {
    const { reads, sent } = setUp();
    expect(await reads.byField('people', 'name').findMany('acme', [])).toEqual([]);
    expect(sent).toEqual([]);
  });
});

describe('reads by range', () => {
  const rows = [
    message('acme', 'a', 3),
    message('acme', 'a', 2),
    message('other', 'a', 2),
    message('acme', 'b', 9),
  ];

  it('in the same turn share one query, and each returns its own rows in order', async () => {
    const { reads, sent } = setUp(rows);
    const range = reads.byRange<{ seq: number; tenantId: string }>('messages', 'conversation', 'seq');
    const found = await Promise.all([
      range({ tenantId: 'acme', value: 'a', from: 1, to: 5 }),
      range({ tenantId: 'acme', value: 'a', from: 3, to: 3 }),
      range({ tenantId: 'acme', value: 'b', from: 1, to: 5 }),
      range({ tenantId: 'other', value: 'a', from: 1, to: 5 }),
      range({ tenantId: 'other', value: 'b', from: 1, to: 9 }),
    ]);
    expect(found.map((rowsOfOne) => rowsOfOne.map(({ tenantId, seq }) => `${tenantId} ${seq}`))).toEqual([
      ['acme 2', 'acme 3'],
      ['acme 3'],
      [],
      ['other 2'],
      [],
    ]);
    expect(sent.map(({ filter }) => filter)).toEqual([
      {
        $or: [
          { tenantId: 'acme', conversation: { $in: ['a', 'b'] }, seq: { $gte: 1, $lte: 5 } },
          { tenantId: 'acme', conversation: 'a', seq: { $gte: 3, $lte: 3 } },
          { tenantId: 'other', conversation: 'a', seq: { $gte: 1, $lte: 5 } },
          { tenantId: 'other', conversation: 'b', seq: { $gte: 1, $lte: 9 } },
        ],
      },
    ]);
  });

  it('use their own query when they are long, and send none when they are empty', async () => {
    const { reads, sent } = setUp();
    const range = reads.byRange('messages', 'conversation', 'seq');
    await Promise.all([
      range({ tenantId: 'acme', value: 'a', from: 1, to: 200 }),
      range({ tenantId: 'acme', value: 'b', from: 1, to: 200 }),
      range({ tenantId: 'acme', value: 'c', from: 2, to: 1 }),
    ]);
    expect(sent.map(({ filter }) => filter['conversation'] as unknown)).toEqual(['a', 'b']);
  });
});
