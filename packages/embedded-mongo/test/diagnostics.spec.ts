import {
  Binary,
  type ClientSession,
  type Collection,
  type Db,
  type Document,
  Long,
  Timestamp,
} from 'mongodb';
import { openTestStore, serverError, type TestStore } from './store.js';

let test: TestStore;
let db: Db;
let admin: Db;
let coll: Collection<Document>;
let names = 0;

beforeAll(async () => {
  test = await openTestStore();
  admin = test.client.db('admin');
});

afterAll(() => test.close());

beforeEach(() => {
  names += 1;
  db = test.client.db(`diagnostics${names}`);
  coll = db.collection('c');
});

/** Repeats the request until it has a result. */
async function until<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
  }
}

describe('the profile', () => {
  it('records operations with their plans and counts', async () => {
    expect(await db.command({ profile: 2 })).toMatchObject({ was: 0, slowms: 100, sampleRate: 1 });
    const items = db.collection('c');
    await items.insertMany([
      { _id: 1, a: 1 },
      { _id: 2, a: 2 },
      { _id: 3, a: 3 },
    ] as unknown as Document[]);
    await items.find({ a: { $gt: 1 } }, { batchSize: 1, sort: { a: 1 } }).toArray();
    await items.updateOne({ a: 3 }, { $set: { b: 1 } });
    await items.deleteMany({ a: { $lt: 3 } });
    await serverError(items.updateOne({ a: 1 }, [{ $nonsense: 1 }]));
    await serverError(items.find({ $nonsense: 1 }).toArray());
    expect(await db.command({ profile: -1 })).toMatchObject({ was: 2 });
    await db.command({ profile: 0 });

    const entries = await db
      .collection('system.profile')
      .find({ op: { $ne: 'command' } })
      .toArray();
    expect(entries.map(({ op }) => op as string)).toEqual([
      'insert',
      'query',
      'getmore',
      ...(entries.filter(({ op }) => op === 'getmore').length > 1 ? ['getmore'] : []),
      'update',
      'remove',
      'update',
      'query',
    ]);
    const ns = `${db.databaseName}.c`;
    const of = (op: string): Document => entries.find((entry) => entry['op'] === op)!;
    expect(of('insert')).toMatchObject({ ns, ninserted: 3 });
    expect(of('query')).toMatchObject({
      ns,
      command: { find: 'c', filter: { a: { $gt: 1 } } },
      nreturned: 1,
      docsExamined: 3,
      keysExamined: 0,
      planSummary: 'COLLSCAN',
      hasSortStage: true,
    });
    expect(of('query')['cursorid']).toBeDefined();
    expect(of('getmore')).toMatchObject({ originatingCommand: { find: 'c' } });
    expect(of('update')).toMatchObject({ nMatched: 1, nModified: 1, command: { q: { a: 3 } } });
    expect(of('remove')).toMatchObject({ ndeleted: 2, command: { q: { a: { $lt: 3 } } } });
    expect(entries.at(-1)).toMatchObject({ errCode: 2, errName: 'BadValue' });
  });

  it('is disabled by level 0', async () => {
    await db.command({ profile: 2 });
    await db.command({ profile: 0 });
    const before = await db.collection('system.profile').countDocuments();
    await coll.insertOne({});
    expect(await db.collection('system.profile').countDocuments()).toBe(before);
  });
});

describe('running operations', () => {
  let session: ClientSession;

  beforeEach(async () => {
    await coll.insertOne({ _id: 1 } as Document);
    session = test.client.startSession();
    session.startTransaction();
    await coll.updateOne({ _id: 1 } as Document, { $set: { x: 1 } }, { session });
  });

  afterEach(async () => {
    await session.abortTransaction();
    await session.endSession();
  });

  it('are reported by currentOp and stopped by killOp, even while they wait for a transaction', async () => {
    const write = serverError(coll.updateOne({ _id: 1 } as Document, { $set: { x: 2 } }));
    const shown = await until(async () => {
      const { inprog } = await admin.command({ currentOp: 1, op: 'update', waitingForLock: true });
      return (inprog as Document[])[0];
    });
    expect(shown).toMatchObject({
      type: 'op',
      active: true,
      ns: `${db.databaseName}.c`,
      command: { update: 'c' },
    });
    expect(await admin.command({ killOp: 1, op: shown['opid'] })).toMatchObject({
      info: 'attempting to kill op',
    });
    expect(await write).toMatchObject({ code: 11601 });
  });

  it('respect maxTimeMS while they wait for a transaction', async () => {
    const write = coll.updateOne({ _id: 1 } as Document, { $set: { x: 2 } }, { maxTimeMS: 20 });
    expect(await serverError(write)).toMatchObject({ code: 50 });
  });

  it('are listed together with open transactions and idle cursors', async () => {
    await coll.insertMany([{}, {}]);
    const cursor = coll.find({}, { batchSize: 1 });
    await cursor.next();
    const ops = await admin
      .aggregate([{ $currentOp: { idleCursors: true } }, { $match: { type: { $ne: 'op' } } }])
      .toArray();
    expect(ops).toContainEqual(
      expect.objectContaining({
        type: 'idleSession',
        active: false,
        transaction: expect.objectContaining({ parameters: expect.anything() as unknown }) as Document,
      }),
    );
    expect(ops).toContainEqual(expect.objectContaining({ type: 'idleCursor', ns: `${db.databaseName}.c` }));
    await cursor.close();
    expect(await serverError(db.aggregate([{ $currentOp: {} }]).toArray())).toMatchObject({ code: 73 });
  });
});

describe('statistics', () => {
  it('count connections, operations, documents and transactions', async () => {
    const before = await admin.command({ serverStatus: 1 });
    await coll.insertMany([{ a: 1 }, { a: 2 }]);
    await coll.updateMany({}, { $set: { b: 1 } });
    await coll.deleteOne({ a: 1 });
    await coll.find().toArray();
    const after = await admin.command({ serverStatus: 1, mem: 0 });
    const change = (section: string, field: string): number => {
      const read = (status: Document): number => {
        const documents = (status['metrics'] as Document)['document'] as Document;
        return Number(((section === 'document' ? documents : status[section]) as Document)[field]);
      };
      return read(after) - read(before);
    };
    expect(change('document', 'inserted')).toBe(2);
    expect(change('document', 'updated')).toBe(2);
    expect(change('document', 'deleted')).toBe(1);
    expect(change('opcounters', 'insert')).toBe(2);
    expect(after['mem']).toBeUndefined();
    expect(after).toMatchObject({ storageEngine: { name: 'lmdb' }, connections: { active: 1 } });
  });

  it('report the use of a collection and its indexes', async () => {
    await coll.createIndex({ a: 1 });
    await coll.insertOne({ a: 1 });
    await coll.find({ a: 1 }).toArray();
    const [stats] = await coll
      .aggregate([{ $collStats: { latencyStats: {}, count: {}, storageStats: { scale: 2 } } }])
      .toArray();
    expect(stats).toMatchObject({ count: 1, storageStats: { count: 1, scaleFactor: 2 } });
    const { reads, writes } = (stats as { latencyStats: Record<string, { ops: number }> }).latencyStats;
    expect([Number(reads!.ops), Number(writes!.ops)]).toEqual([1, 1]);
    const uses = await coll.aggregate([{ $indexStats: {} }, { $match: { name: 'a_1' } }]).toArray();
    expect(Number((uses[0] as { accesses: { ops: number } }).accesses.ops)).toBe(1);
    const { totals } = (await admin.command({ top: 1 })) as unknown as { totals: Record<string, Document> };
    expect(totals[`${db.databaseName}.c`]).toMatchObject({ insert: { count: 1 }, queries: { count: 1 } });
  });

  it('hash databases by their contents', async () => {
    const hash = async (): Promise<string> => (await db.command({ dbHash: 1 }))['md5'] as string;
    await coll.insertOne({ _id: 1, a: 1 } as Document);
    const first = await hash();
    await coll.updateOne({}, { $set: { a: 2 } });
    expect(await hash()).not.toBe(first);
    await coll.updateOne({}, { $set: { a: 1 } });
    expect(await hash()).toBe(first);
  });
});

it.each<[Document, Document]>([
  [{ getDefaultRWConcern: 1 }, { defaultWriteConcern: { w: 'majority' } }],
  [{ replSetGetConfig: 1 }, { config: { _id: 'embedded', members: [{ _id: 0 }] } }],
  [{ replSetStepDown: 5, force: true }, { ok: 1 }],
  [{ getParameter: 1, transactionLifetimeLimitSeconds: 1 }, { transactionLifetimeLimitSeconds: 60 }],
  [{ setParameter: 1, logLevel: 1 }, { was: 0 }],
  [{ getLog: 'global' }, { log: [] }],
  [{ fsync: 1 }, { numFiles: 1 }],
  [{ logRotate: 1 }, { ok: 1 }],
  [{ rolesInfo: 1 }, { roles: [] }],
  [{ listCommands: 1 }, { commands: { find: { adminOnly: false }, killOp: { adminOnly: true } } }],
])('responds to %j', async (command, answer) => {
  expect(await admin.command(command)).toMatchObject(answer);
});

it.each<[Document, number]>([
  [{ replSetStepDown: 5 }, 262],
  [{ setParameter: 1, nonsense: 1 }, 72],
  [{ setParameter: 1, notablescan: true }, 72],
  [{ fsync: 1, lock: true }, 115],
  [{ createUser: 'x', pwd: 'x', roles: [] }, 115],
  [{ saslStart: 1, mechanism: 'PLAIN', payload: '' }, 18],
  [{ configureFailPoint: 'nonsense', mode: 'off' }, 191],
])('rejects %j with code %i', async (command, code) => {
  expect(await serverError(admin.command(command))).toMatchObject({ code });
});

describe('fail points', () => {
  const set = (configureFailPoint: string, mode: unknown, data: Document = {}): Promise<Document> =>
    admin.command({ configureFailPoint, mode, data });

  it('make a getMore fail after its cursor was checked out, and close the cursor', async () => {
    await coll.insertMany([{}, {}, {}]);
    const cursor = coll.find({}, { batchSize: 1 });
    await cursor.next();
    await set('failGetMoreAfterCursorCheckout', { times: 1 }, { errorCode: 280 });
    expect(await serverError(cursor.next())).toMatchObject({ code: 280 });
    const { inprog } = await admin.command({ currentOp: 1, $all: true, type: 'idleCursor' });
    expect(inprog).toEqual([]);
  });

  it('make a getMore time out if its cursor has a time limit', async () => {
    await coll.insertMany([{}, {}]);
    const cursor = coll.find({}, { batchSize: 1, maxTimeMS: 60_000 });
    await cursor.next();
    await set('maxTimeAlwaysTimeOut', { times: 1 });
    expect(await serverError(cursor.next())).toMatchObject({ code: 50 });
  });

  it('make every operation with a time limit time out', async () => {
    await set('maxTimeAlwaysTimeOut', 'alwaysOn');
    expect(await serverError(coll.find({}, { maxTimeMS: 60_000 }).toArray())).toMatchObject({ code: 50 });
    expect(await coll.find().toArray()).toEqual([]);
    await set('maxTimeAlwaysTimeOut', 'off');
  });

  it('close the connection before or after a retryable write, which the driver retries', async () => {
    await set('onPrimaryTransactionalWrite', { times: 1 }, { failBeforeCommitExceptionCode: 1 });
    await coll.insertOne({ _id: 1 } as Document);
    await set('onPrimaryTransactionalWrite', { times: 1 });
    await coll.updateOne({ _id: 1 } as Document, { $inc: { n: 1 } });
    expect(await coll.find().toArray()).toEqual([{ _id: 1, n: 1 }]);
  });
});

describe('logical time', () => {
  it('is returned in every response, and advances to the time that a client sends', async () => {
    const first = await admin.command({ ping: 1 });
    const { clusterTime } = first['$clusterTime'] as { clusterTime: Timestamp };
    expect(first['operationTime']).toEqual(clusterTime);
    const ahead = new Timestamp({ t: clusterTime.t + 50, i: 1 });
    const session = test.client.startSession();
    session.advanceClusterTime({
      clusterTime: ahead,
      signature: { hash: new Binary(Buffer.alloc(20)), keyId: Long.ZERO },
    });
    const second = await admin.command({ ping: 1 }, { session });
    expect((second['operationTime'] as Timestamp).greaterThanOrEqual(ahead)).toBe(true);
    await session.endSession();
  });

  it('limits the time that a read may request as afterClusterTime', async () => {
    const { operationTime } = await admin.command({ ping: 1 });
    const find = { find: 'c', readConcern: { level: 'local', afterClusterTime: operationTime as Timestamp } };
    expect(await db.command(find)).toMatchObject({ ok: 1 });
    find.readConcern.afterClusterTime = new Timestamp({ t: (operationTime as Timestamp).t + 100, i: 1 });
    expect(await serverError(db.command(find))).toMatchObject({ code: 72 });
  });

  it('is fixed for a snapshot session', async () => {
    await coll.insertOne({ _id: 1, x: 1 } as Document);
    const session = test.client.startSession({ snapshot: true });
    expect(await coll.find({}, { session }).toArray()).toEqual([{ _id: 1, x: 1 }]);
    await coll.updateOne({}, { $set: { x: 2 } });
    await coll.insertOne({ _id: 2, x: 3 } as Document);
    expect(await coll.distinct('x', {}, { session })).toEqual([1]);
    expect(await coll.countDocuments({}, { session })).toBe(1);
    await session.endSession();
    expect(await coll.countDocuments()).toBe(2);
  });

  it('is rejected for operations that do not support snapshot reads', async () => {
    const readConcern = { level: 'snapshot' };
    expect(await serverError(db.command({ count: 'c', readConcern }))).toMatchObject({ code: 72 });
    const tooOld = { level: 'snapshot', atClusterTime: new Timestamp({ t: 1, i: 1 }) };
    expect(await serverError(db.command({ find: 'c', readConcern: tooOld }))).toMatchObject({ code: 239 });
  });
});

it('lists sessions, and the databases of every replica set member', async () => {
  const sessions = await admin.aggregate([{ $listLocalSessions: {} }, { $limit: 1 }]).toArray();
  expect(sessions).toEqual([expect.objectContaining({ lastUse: expect.any(Date) as Date })]);
  const { databases } = await admin.admin().listDatabases({ nameOnly: true });
  expect(databases.map(({ name }) => name)).toEqual(expect.arrayContaining(['admin', 'config', 'local']));
});

it('reports why a validator rejects a document', async () => {
  const $jsonSchema = { required: ['a'], properties: { b: { bsonType: 'int' } } };
  await db.createCollection('c', { validator: { $jsonSchema } });
  const error = await serverError(coll.insertOne({ _id: 7, b: 'x' } as Document));
  expect(error).toMatchObject({ code: 121 });
  expect((error as unknown as { errInfo: Document }).errInfo).toMatchObject({
    failingDocumentId: 7,
    details: {
      operatorName: '$jsonSchema',
      schemaRulesNotSatisfied: [{ operatorName: 'properties' }, { missingProperties: ['a'] }],
    },
  });
});

it('reports an unsatisfiable write concern even if the write failed', async () => {
  await coll.insertOne({ _id: 1 } as Document);
  const error = await serverError(db.command({ create: 'c', validator: { a: 1 }, writeConcern: { w: 2 } }));
  expect(error).toMatchObject({ code: 48 });
  expect(error.errorResponse).toMatchObject({ writeConcernError: { code: 100 } });
});

it('returns an index as it was specified', async () => {
  await coll.createIndex({ a: 1 }, { background: true });
  await test.reopen();
  admin = test.client.db('admin');
  const indexes = await test.client.db(db.databaseName).collection('c').indexes();
  expect(indexes[1]).toMatchObject({ name: 'a_1', background: true });
});

it('evaluates the variables of a command', async () => {
  await coll.insertOne({ _id: 1 } as Document);
  await coll.updateMany({ $expr: { $eq: ['$_id', '$$one'] } }, [{ $set: { y: '$$y' } }], {
    let: { one: { $add: [0, 1] }, y: { $literal: 'bar' } },
  });
  expect(await coll.find().toArray()).toEqual([{ _id: 1, y: 'bar' }]);
});

it('validates a query even if the collection does not exist', async () => {
  expect(await serverError(coll.find({ x: { $bad: 1 } }).toArray())).toMatchObject({ code: 2 });
  expect(await serverError(coll.deleteOne({ x: { $bad: 1 } }))).toMatchObject({ code: 2 });
});

it('executes many operations of bulkWrite together and reports each of them', async () => {
  const ops = [
    ...Array.from({ length: 1_500 }, (_, i) => ({ insert: 0, document: { _id: i } })),
    { insert: 0, document: { _id: 3 } },
    { update: 0, filter: { _id: 5 }, updateMods: { $set: { x: 1 } } },
    { update: 0, filter: { _id: -1 }, updateMods: { $set: { x: 1 } }, upsert: true },
    { delete: 0, filter: { _id: 6 } },
    { insert: 0, document: { _id: 2_000 } },
  ];
  const nsInfo = [{ ns: `${db.databaseName}.c` }];
  const answer = await admin.command({ bulkWrite: 1, ops, nsInfo, ordered: false, errorsOnly: true });
  expect(answer).toMatchObject({
    nErrors: 1,
    nInserted: 1_501,
    nMatched: 1,
    nModified: 1,
    nUpserted: 1,
    nDeleted: 1,
    cursor: { firstBatch: [{ ok: 0, idx: 1_500, code: 11000 }] },
  });
  const stopped = await admin.command({ bulkWrite: 1, ops: ops.slice(1_500), nsInfo });
  expect(stopped).toMatchObject({
    nErrors: 1,
    nMatched: 0,
    cursor: { firstBatch: [{ idx: 0, code: 11000 }] },
  });
});

it('removes expired documents at the interval of ttlMonitorSleepSecs', async () => {
  await coll.createIndex({ at: 1 }, { expireAfterSeconds: 0 });
  expect(await admin.command({ getParameter: 1, ttlMonitorSleepSecs: 1 })).toMatchObject({
    ttlMonitorSleepSecs: 60,
  });
  expect(await admin.command({ setParameter: 1, ttlMonitorSleepSecs: 1 })).toMatchObject({ was: 60 });
  const changes = coll.watch([{ $match: { operationType: 'delete' } }]);
  try {
    await changes.tryNext();
    await coll.insertOne({ _id: 'old' as never, at: new Date(0) });
    expect(await changes.next()).toMatchObject({ documentKey: { _id: 'old' } });
  } finally {
    await changes.close();
    await admin.command({ setParameter: 1, ttlMonitorSleepSecs: 60 });
  }
  expect(await serverError(admin.command({ setParameter: 1, ttlMonitorSleepSecs: 0 }))).toMatchObject({
    code: 2,
  });
});
