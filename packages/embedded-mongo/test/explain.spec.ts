import type { Collection, Document } from 'mongodb';
import { openTestStore, type TestStore } from './store.js';

let test: TestStore;
let orders: Collection;

beforeAll(async () => {
  test = await openTestStore();
  orders = test.client.db('shop').collection('orders');
  await orders.insertMany(
    Array.from({ length: 30 }, (_, n) => ({ customer: n % 3, total: n, items: [n, n + 1], note: 'x' })),
  );
  await orders.createIndex({ customer: 1, total: -1 });
  await orders.createIndex({ items: 1 }, { sparse: true });
});
afterAll(() => test.close());

const planner = (answer: Document): Document => answer['queryPlanner'] as Document;
const executed = (answer: Document): Document => answer['executionStats'] as Document;

it('shows the stages of a query with their execution counters', async () => {
  const answer = await orders
    .find({ customer: 1, total: { $gte: 10 }, note: 'x' }, { projection: { total: 1 } })
    .sort({ total: -1 })
    .limit(3)
    .explain('executionStats');
  expect(planner(answer)['parsedQuery']).toEqual({
    $and: [{ customer: { $eq: 1 } }, { total: { $gte: 10 } }, { note: { $eq: 'x' } }],
  });
  expect(executed(answer)).toMatchObject({
    nReturned: 3,
    totalKeysExamined: 3,
    executionStages: {
      stage: 'PROJECTION_SIMPLE',
      inputStage: {
        stage: 'LIMIT',
        limitAmount: 3,
        inputStage: {
          stage: 'FETCH',
          filter: expect.anything() as unknown,
          docsExamined: 3,
          inputStage: {
            stage: 'IXSCAN',
            keysExamined: 3,
            isMultiKey: false,
            isSparse: false,
            indexVersion: 2,
          },
        },
      },
    },
  });
});

it('shows the flags of an index, an in-memory sort and a full scan', async () => {
  const multikey = planner(await orders.find({ items: 4 }).explain());
  expect(multikey['winningPlan']).toMatchObject({ inputStage: { isMultiKey: true, isSparse: true } });
  const sorted = executed(await orders.find({ note: 'x' }).sort({ note: 1 }).explain('executionStats'));
  expect(sorted).toMatchObject({
    totalKeysExamined: 0,
    totalDocsExamined: 30,
    executionStages: {
      stage: 'SORT',
      nReturned: 30,
      inputStage: { stage: 'COLLSCAN', nReturned: 30, filter: { note: { $eq: 'x' } } },
    },
  });
});

it('reports what a write would change without changing anything', async () => {
  const explain = (command: Document): Promise<Document> =>
    test.client.db('shop').command({ explain: command, verbosity: 'executionStats' });
  const updates = [{ q: { customer: 0 }, u: { $set: { note: 'y' } }, multi: true }];
  expect(executed(await explain({ update: 'orders', updates }))).toMatchObject({
    nReturned: 0,
    executionStages: { stage: 'UPDATE', nWouldModify: 10 },
  });
  const deletes = [{ q: { customer: 0 }, limit: 1 }];
  expect(executed(await explain({ delete: 'orders', deletes }))).toMatchObject({
    executionStages: { stage: 'DELETE', nWouldDelete: 1 },
  });
  expect(await orders.countDocuments({ customer: 0, note: 'x' })).toBe(10);
});
