import { explainOf, readPlan, shapeOf } from './query-plan.js';

describe('shapeOf', () => {
  it.each([
    [
      { find: 'messages', filter: { tenantId: 'acme', seq: { $gt: 5 } }, sort: { seq: 1 }, limit: 50 },
      'find messages { tenantId: ?, seq: { $gt: ? } } sort seq:1',
    ],
    [
      { find: 'jobs', filter: { state: { $in: ['a', 'b'] } }, sort: new Map([['runAt', -1]]) },
      'find jobs { state: { $in: ? } } sort runAt:-1',
    ],
    [
      { find: 'jobs', filter: { $or: [{ a: 1 }, { a: 2 }, { b: { $lt: 3 } }] } },
      'find jobs { $or: [{ a: ? }, { b: { $lt: ? } }] }',
    ],
    [
      { update: 'sessions', updates: [{ q: { _id: 1 }, u: { $set: { secret: 'x' } } }] },
      'update sessions { _id: ? }',
    ],
    [
      { delete: 'sessions', deletes: [{ q: { tenantId: 'acme' }, limit: 0 }] },
      'delete sessions { tenantId: ? }',
    ],
    [
      { findAndModify: 'jobs', query: { queue: 'q' }, sort: { at: 1 } },
      'findAndModify jobs { queue: ? } sort at:1',
    ],
    [
      { aggregate: 'messages', pipeline: [{ $match: { tenantId: 'acme' } }, { $limit: 5 }] },
      'aggregate messages [{ $match: { tenantId: ? } }, { $limit: ? }]',
    ],
    [{ insert: 'messages', documents: [{ content: 'secret' }] }, 'insert messages'],
    [{ getMore: 5n, collection: 'messages' }, 'getMore messages'],
    [{ commitTransaction: 1 }, 'commitTransaction'],
  ])('%j', (command, shape) => {
    expect(shapeOf(command)).toBe(shape);
  });

  it('has a maximum length', () => {
    const filter = Object.fromEntries(Array.from({ length: 1000 }, (_, number) => [`field${number}`, 1]));
    expect(shapeOf({ find: 'x', filter })).toHaveLength(300);
  });
});

describe('explainOf', () => {
  it('removes session, transaction and transport fields', () => {
    const command = {
      find: 'messages',
      filter: { tenantId: 'acme' },
      limit: 1,
      lsid: {},
      txnNumber: 1,
      startTransaction: true,
      autocommit: false,
      readConcern: {},
      $db: 'colloquy',
      $clusterTime: {},
    };
    expect(explainOf(command)).toEqual({
      explain: { find: 'messages', filter: { tenantId: 'acme' }, limit: 1 },
      verbosity: 'queryPlanner',
    });
  });

  it('takes the first write of a batch', () => {
    const updates = [
      { q: { a: 1 }, u: {} },
      { q: { a: 2 }, u: {} },
    ];
    expect(explainOf({ update: 'x', updates, ordered: true })).toEqual({
      explain: { update: 'x', updates: [updates[0]] },
      verbosity: 'queryPlanner',
    });
  });

  it.each([{ insert: 'x' }, { explain: { find: 'x' } }, { getMore: 1 }, { commitTransaction: 1 }, {}])(
    'does not explain %j',
    (command) => {
      expect(explainOf(command)).toBeUndefined();
    },
  );
});

describe('readPlan', () => {
  const scan = { stage: 'COLLSCAN', filter: { stage: 'a value of the query' } };
  const fetch = {
    stage: 'FETCH',
    inputStage: { stage: 'IXSCAN', indexName: 'a_1', indexBounds: { a: ['[1, 1]'] } },
  };

  it('lists indexes, and stages from the outermost inward', () => {
    const plan = readPlan({
      queryPlanner: { parsedQuery: { stage: 'no' }, winningPlan: { stage: 'LIMIT', inputStage: fetch } },
    });
    expect(plan).toEqual({ stages: ['LIMIT', 'FETCH', 'IXSCAN'], indexes: ['a_1'], collectionScan: false });
  });

  it('finds a collection scan, also within a pipeline and on one shard of several', () => {
    expect(readPlan({ queryPlanner: { winningPlan: scan } }).collectionScan).toBe(true);
    expect(readPlan({ stages: [{ $cursor: { queryPlanner: { winningPlan: scan } } }] }).collectionScan).toBe(
      true,
    );
    const shards = [{ winningPlan: fetch }, { winningPlan: scan }];
    expect(readPlan({ queryPlanner: { winningPlan: { stage: 'SHARD_MERGE', shards } } })).toEqual({
      stages: ['SHARD_MERGE', 'FETCH', 'IXSCAN', 'COLLSCAN'],
      indexes: ['a_1'],
      collectionScan: true,
    });
  });

  it('ignores rejected plans', () => {
    const plan = readPlan({ queryPlanner: { winningPlan: { queryPlan: fetch }, rejectedPlans: [scan] } });
    expect(plan.collectionScan).toBe(false);
  });
});
