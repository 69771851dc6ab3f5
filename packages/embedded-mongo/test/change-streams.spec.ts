import { once } from 'node:events';
import {
  Binary,
  Long,
  Timestamp,
  type ChangeStream,
  type ClientSession,
  type Collection,
  type Db,
  type Document,
} from 'mongodb';
import mongoose from 'mongoose';
import { openTestStore, serverError, type TestStore } from './store.js';

const hour = 3_600_000;

interface Row {
  _id: number;
  [field: string]: unknown;
}

/** A change stream through plain commands, so that each batch can be checked. */
class Watch {
  constructor(
    private readonly db: Db,
    private readonly session: ClientSession,
    public cursor: Document,
  ) {}

  static async open(db: Db, coll: string | 1, pipeline: Document[], batchSize = 101): Promise<Watch> {
    const session = db.client.startSession();
    const reply = await db.command(
      { aggregate: coll, pipeline, cursor: { batchSize } },
      { session, promoteValues: true },
    );
    return new Watch(db, session, reply['cursor'] as Document);
  }

  get token(): Document {
    return this.cursor['postBatchResumeToken'] as Document;
  }

  get id(): Long {
    return Long.fromValue(this.cursor['id'] as number);
  }

  get coll(): string {
    return (this.cursor['ns'] as string).slice(this.db.databaseName.length + 1);
  }

  async next(maxTimeMS = hour): Promise<Document[]> {
    const { session } = this;
    const reply = await this.db.command({ getMore: this.id, collection: this.coll, maxTimeMS }, { session });
    this.cursor = reply['cursor'] as Document;
    return this.cursor['nextBatch'] as Document[];
  }

  /** Reads events until at least `count` have been received. */
  async take(count: number): Promise<Document[]> {
    const events = (this.cursor['firstBatch'] as Document[] | undefined) ?? [];
    while (events.length < count) events.push(...(await this.next()));
    return events;
  }
}

describe('change streams', () => {
  let test: TestStore;
  let db: Db;
  let coll: Collection<Row>;
  let counter = 0;

  beforeAll(async () => {
    test = await openTestStore();
  });

  afterAll(() => test.close());

  beforeEach(() => {
    counter += 1;
    db = test.client.db(`streams${counter}`);
    coll = db.collection<Row>('c');
  });

  const watch = (spec: Document = {}, ...stages: Document[]) =>
    Watch.open(db, 'c', [{ $changeStream: spec }, ...stages]);

  it('reports inserts, updates, replacements and deletes in order', async () => {
    const stream = await watch();
    await coll.insertOne({ _id: 1, a: 1, b: 2 });
    await coll.updateOne({ _id: 1 }, { $set: { a: 5 }, $unset: { b: 1 } });
    await coll.replaceOne({ _id: 1 }, { c: 3 });
    await coll.updateOne({ _id: 1 }, { $set: { c: 3 } });
    await coll.deleteOne({ _id: 1 });
    const events = await stream.take(4);
    const ns = { db: db.databaseName, coll: 'c' };
    expect(events).toEqual([
      expect.objectContaining({ operationType: 'insert', ns, fullDocument: { _id: 1, a: 1, b: 2 } }),
      expect.objectContaining({
        operationType: 'update',
        ns,
        documentKey: { _id: 1 },
        updateDescription: { updatedFields: { a: 5 }, removedFields: ['b'], truncatedArrays: [] },
      }),
      expect.objectContaining({ operationType: 'replace', fullDocument: { _id: 1, c: 3 } }),
      expect.objectContaining({ operationType: 'delete', documentKey: { _id: 1 } }),
    ]);
    expect(events[1]).not.toHaveProperty('fullDocument');
    expect(events[3]).not.toHaveProperty('fullDocument');
    for (const event of events) {
      expect(event['clusterTime']).toBeInstanceOf(Timestamp);
      expect(event['wallTime']).toBeInstanceOf(Date);
    }
    const tokens = events.map(({ _id }) => (_id as Document)['_data'] as string);
    expect([...tokens].sort()).toEqual(tokens);
    expect(Object.keys(events[0]!)).toEqual([
      '_id',
      'operationType',
      'clusterTime',
      'wallTime',
      'ns',
      'documentKey',
      'fullDocument',
    ]);
  });

  it('returns the token of the last event as the resume token until another event follows', async () => {
    const stream = await watch();
    await coll.insertOne({ _id: 1 });
    const [event] = await stream.take(1);
    expect(stream.token).toEqual(event?.['_id']);
    await db.collection('other').insertOne({ a: 1 });
    expect(await stream.next(1)).toEqual([]);
    const passed = stream.token['_data'] as string;
    expect(passed > ((event?.['_id'] as Document)['_data'] as string)).toBe(true);
  });

  it('reports the events of a transaction with one cluster time, its session and its number, and none of an aborted transaction', async () => {
    await coll.insertOne({ _id: 0 });
    const stream = await watch();
    await test.client.withSession(async (session) => {
      session.startTransaction();
      await coll.insertOne({ _id: 1 }, { session });
      await session.abortTransaction();
      session.startTransaction();
      await coll.insertOne({ _id: 2 }, { session });
      await coll.updateOne({ _id: 0 }, { $set: { a: 1 } }, { session });
      await session.commitTransaction();
    });
    await expect(coll.insertOne({ _id: 2 })).rejects.toMatchObject({ code: 11000 });
    await coll.insertOne({ _id: 3 });
    const [first, second, third] = await stream.take(3);
    expect(first).toMatchObject({ operationType: 'insert', documentKey: { _id: 2 } });
    expect(second).toMatchObject({ operationType: 'update', documentKey: { _id: 0 } });
    expect(second!['clusterTime']).toEqual(first!['clusterTime']);
    expect(second!['txnNumber']).toEqual(first!['txnNumber']);
    expect((first!['lsid'] as Document)['id']).toBeInstanceOf(Binary);
    expect(second!['lsid']).toEqual(first!['lsid']);
    expect(third).toMatchObject({ documentKey: { _id: 3 } });
    expect(third).not.toHaveProperty('lsid');
  });

  it('watches one database or all databases', async () => {
    const ofDb = await Watch.open(db, 1, [{ $changeStream: {} }]);
    const ofAll = await Watch.open(test.client.db('admin'), 1, [
      { $changeStream: { allChangesForCluster: true } },
    ]);
    const other = test.client.db(`${db.databaseName}b`);
    await test.client.db('admin').collection('c').insertOne({});
    await other.collection('x').insertOne({});
    await db.collection('y').insertOne({});
    const all = await ofAll.take(2);
    expect(all.map(({ ns }) => (ns as Document)['coll'] as string)).toEqual(['x', 'y']);
    expect(await ofDb.take(1)).toMatchObject([{ ns: { db: db.databaseName, coll: 'y' } }]);
    await db.dropDatabase();
    expect((await ofDb.take(3)).map(({ operationType }) => operationType as string)).toEqual([
      'drop',
      'dropDatabase',
      'invalidate',
    ]);
    expect(ofDb.id.isZero()).toBe(true);
    expect(await ofAll.take(2)).toMatchObject([{ operationType: 'drop' }, { operationType: 'dropDatabase' }]);
  });

  it('ends when the collection is dropped, and can be started after that', async () => {
    await coll.insertOne({ _id: 1 });
    const stream = await watch();
    await coll.rename('d');
    const [renamed, invalidate] = await stream.take(2);
    expect(renamed).toMatchObject({ operationType: 'rename', to: { db: db.databaseName, coll: 'd' } });
    expect(invalidate).toMatchObject({ operationType: 'invalidate' });
    expect(invalidate).not.toHaveProperty('ns');
    expect(stream.id.isZero()).toBe(true);
    expect(stream.token).toEqual(invalidate!['_id']);

    const resumed = await watch({ resumeAfter: renamed!['_id'] });
    expect(resumed.cursor['firstBatch']).toMatchObject([{ operationType: 'invalidate' }]);
    const refused = await serverError(watch({ resumeAfter: invalidate!['_id'] }));
    expect(refused).toMatchObject({ code: 260, codeName: 'InvalidResumeToken' });
    const started = await watch({ startAfter: invalidate!['_id'] });
    await coll.insertOne({ _id: 2 });
    expect(await started.take(1)).toMatchObject([{ documentKey: { _id: 2 } }]);

    await coll.drop();
    expect(await started.take(2)).toMatchObject([{ operationType: 'drop' }, { operationType: 'invalidate' }]);
  });

  it('resumes after a token or starts at a time', async () => {
    const { operationTime } = await db.command({ ping: 1 });
    const stream = await watch();
    await coll.insertMany([1, 2, 3].map((_id) => ({ _id })));
    const [first] = await stream.take(3);
    const ids = async (spec: Document): Promise<unknown[]> => {
      const { cursor } = await watch(spec);
      return (cursor['firstBatch'] as Document[]).map(({ documentKey }) => (documentKey as Row)._id);
    };
    expect(await ids({ resumeAfter: first!['_id'] })).toEqual([2, 3]);
    expect(await ids({ startAfter: first!['_id'] })).toEqual([2, 3]);
    expect(await ids({ startAtOperationTime: operationTime })).toEqual([1, 2, 3]);
    expect(await ids({ startAtOperationTime: first!['clusterTime'] })).toEqual([1, 2, 3]);
    expect(await ids({ resumeAfter: stream.token })).toEqual([]);
    expect(await ids({})).toEqual([]);
  });

  it('returns a resume token with each batch, including empty ones', async () => {
    const stream = await Watch.open(db, 'c', [{ $changeStream: {} }, { $match: { 'fullDocument.a': 1 } }], 0);
    const before = stream.token;
    await coll.insertOne({ _id: 1, a: 0 });
    expect(await stream.next(1)).toEqual([]);
    expect((stream.token['_data'] as string) > (before['_data'] as string)).toBe(true);
    await coll.insertMany([
      { _id: 2, a: 1 },
      { _id: 3, a: 1 },
    ]);
    const resumed = await Watch.open(db, 'c', [{ $changeStream: { resumeAfter: before } }], 2);
    const batch = resumed.cursor['firstBatch'] as Document[];
    expect(batch).toHaveLength(2);
    expect(resumed.token).toEqual(batch[1]!['_id']);
  });

  it('rejects tokens that are no longer in the log, and invalid ones', async () => {
    const stream = await watch();
    await coll.insertOne({ _id: 1 });
    const [inserted] = await stream.take(1);
    const token = inserted!['_id'] as Document;
    const clusterTime = inserted!['clusterTime'] as Timestamp;
    const data = token['_data'] as string;
    const unknown = await serverError(
      watch({ resumeAfter: { _data: data.replace(/.{10}$/, '0000000700') } }),
    );
    expect(unknown).toMatchObject({ code: 280, errorLabels: ['NonResumableChangeStreamError'] });
    expect(unknown.message).toContain('cannot resume stream; the resume token was not found.');
    expect(await serverError(watch({ resumeAfter: { _data: 'zz' } }))).toMatchObject({ code: 9 });
    expect(await serverError(watch({ resumeAfter: { _data: 'abcd' } }))).toMatchObject({ code: 50811 });
    expect(await serverError(watch({ resumeAfter: { x: 1 } }))).toMatchObject({ code: 40647 });

    await test.reopen();
    db = test.client.db(db.databaseName);
    const lost = {
      code: 286,
      codeName: 'ChangeStreamHistoryLost',
      errorLabels: ['NonResumableChangeStreamError'],
    };
    expect(await serverError(watch({ resumeAfter: token }))).toMatchObject(lost);
    expect(await serverError(watch({ startAtOperationTime: clusterTime }))).toMatchObject(lost);
  });

  it('looks up updated documents, or reports the images that the collection keeps', async () => {
    await db.createCollection('c', { changeStreamPreAndPostImages: { enabled: true } });
    await coll.insertOne({ _id: 1, a: 1 });
    const lookup = await watch({ fullDocument: 'updateLookup' });
    const images = await watch({ fullDocument: 'required', fullDocumentBeforeChange: 'required' });
    await coll.updateOne({ _id: 1 }, { $set: { a: 2 } });
    await coll.updateOne({ _id: 1 }, { $set: { a: 3 } });
    expect(await lookup.take(2)).toMatchObject([{ fullDocument: { a: 3 } }, { fullDocument: { a: 3 } }]);
    await coll.deleteOne({ _id: 1 });
    expect(await images.take(3)).toMatchObject([
      { fullDocument: { a: 2 }, fullDocumentBeforeChange: { a: 1 } },
      { fullDocument: { a: 3 }, fullDocumentBeforeChange: { a: 2 } },
      { operationType: 'delete', fullDocumentBeforeChange: { _id: 1, a: 3 } },
    ]);

    await db.command({ collMod: 'c', changeStreamPreAndPostImages: { enabled: false } });
    await coll.insertOne({ _id: 2 });
    const available = await watch({
      fullDocument: 'whenAvailable',
      fullDocumentBeforeChange: 'whenAvailable',
    });
    const gone = await watch({ fullDocument: 'updateLookup' });
    const required = await watch({ fullDocument: 'required' });
    await coll.updateOne({ _id: 2 }, { $set: { a: 2 } });
    await coll.deleteOne({ _id: 2 });
    const [update, deleted] = await available.take(2);
    expect(update).toMatchObject({ fullDocument: null, fullDocumentBeforeChange: null });
    expect(deleted).toMatchObject({ fullDocumentBeforeChange: null });
    expect(await gone.take(1)).toMatchObject([{ operationType: 'update', fullDocument: null }, {}]);
    expect(await serverError(required.next())).toMatchObject({ code: 47, codeName: 'NoMatchingDocument' });
  });

  it('reports catalog changes on request', async () => {
    const stream = await Watch.open(db, 1, [{ $changeStream: { showExpandedEvents: true } }]);
    const plain = await Watch.open(db, 1, [{ $changeStream: {} }]);
    await coll.createIndex({ a: 1 });
    await coll.insertOne({ _id: 1, a: { 1: 1 } });
    await coll.updateOne({ _id: 1 }, { $set: { 'a.1': 2 } });
    await db.command({ collMod: 'c', index: { name: 'a_1', hidden: true } });
    await coll.dropIndex('a_1');
    await coll.drop();
    const events = await stream.take(7);
    expect(events).toMatchObject([
      { operationType: 'create', operationDescription: { idIndex: { name: '_id_' } } },
      {
        operationType: 'createIndexes',
        operationDescription: { indexes: [{ v: 2, key: { a: 1 }, name: 'a_1' }] },
      },
      { operationType: 'insert' },
      { operationType: 'update', updateDescription: { disambiguatedPaths: { 'a.1': ['a', '1'] } } },
      {
        operationType: 'modify',
        operationDescription: { index: { name: 'a_1', hidden: true } },
        stateBeforeChange: { indexOptions: { hidden: false } },
      },
      { operationType: 'dropIndexes', operationDescription: { indexes: [{ name: 'a_1' }] } },
      { operationType: 'drop' },
    ]);
    for (const event of events) expect(event['collectionUUID']).toBeInstanceOf(Binary);
    const seen = await plain.take(3);
    expect(seen.map(({ operationType }) => operationType as string)).toEqual(['insert', 'update', 'drop']);
    expect(seen[1]!['updateDescription']).not.toHaveProperty('disambiguatedPaths');
  });

  describe('getMore', () => {
    it('returns events that occur while it waits', async () => {
      const stream = await watch();
      const events = stream.next();
      await coll.insertOne({ _id: 1 });
      expect(await events).toMatchObject([{ documentKey: { _id: 1 } }]);
    });

    /** The waiting getMore of the stream of this test. */
    async function waiting(stream: Watch, { client } = test): Promise<{ opid: number }> {
      for (;;) {
        const { inprog } = await client.db('admin').command({ currentOp: 1 });
        const found = (inprog as Document[]).find(
          ({ command, ns }) =>
            (command as Document)['getMore'] !== undefined && String(ns).startsWith(db.databaseName),
        );
        if (found) return { opid: found['opid'] as number };
        if (stream.id.isZero()) throw new Error('the stream has ended');
      }
    }

    it('is interrupted by killCursors', async () => {
      const stream = await watch();
      const next = serverError(stream.next());
      await waiting(stream);
      await db.command({ killCursors: 'c', cursors: [stream.id] });
      expect(await next).toMatchObject({ code: 237, codeName: 'CursorKilled' });
      expect(await serverError(stream.next())).toMatchObject({ code: 43 });
    });

    it('is interrupted by killOp', async () => {
      const stream = await watch();
      const next = serverError(stream.next());
      const { opid } = await waiting(stream);
      await test.client.db('admin').command({ killOp: 1, op: opid });
      expect(await next).toMatchObject({ code: 11601 });
    });

    it('is interrupted when the client disconnects', async () => {
      const openCursors = async (): Promise<number> => {
        const { metrics } = await db.command({ serverStatus: 1 });
        return Number((metrics as { cursor: { open: { total: unknown } } }).cursor.open.total);
      };
      const before = await openCursors();
      const client = await test.connect();
      const stream = await Watch.open(client.db(db.databaseName), 'c', [{ $changeStream: {} }]);
      const next = stream.next().catch(() => undefined);
      await waiting(stream);
      expect(await openCursors()).toBe(before + 1);
      await client.close(true);
      await next;
      let open = before + 1;
      while (open > before) open = await openCursors();
      expect(open).toBe(before);
    });

    it('is interrupted when the store is closed', async () => {
      const own = await openTestStore();
      const stream = await Watch.open(own.client.db(db.databaseName), 'c', [{ $changeStream: {} }]);
      const last = stream.next().catch((error: unknown) => error);
      await waiting(stream, own);
      await own.store.close();
      expect(await last).toBeInstanceOf(Error);
      await own.close();
    });
  });

  describe('update descriptions', () => {
    const cases: [string, Document, Document | Document[], Document][] = [
      ['a new part', { a: 1 }, { $set: { 'b.c': 1 } }, { updatedFields: { b: { c: 1 } } }],
      [
        'a whole part',
        { a: { b: 1, c: 2 } },
        { $set: { a: { b: 1, c: 3 } } },
        { updatedFields: { a: { b: 1, c: 3 } } },
      ],
      ['an element', { a: [1, 2] }, { $set: { 'a.1': 3 } }, { updatedFields: { 'a.1': 3 } }],
      ['all elements', { a: [1, 1] }, { $inc: { 'a.$[]': 1 } }, { updatedFields: { 'a.0': 2, 'a.1': 2 } }],
      [
        'numbered fields',
        { 1: { 0: 1 } },
        { $set: { '1.0': 2, 7: 3 } },
        { updatedFields: { '1.0': 2, 7: 3 } },
      ],
      [
        'what is pushed',
        { a: [1] },
        { $push: { a: { $each: [2, 3] } } },
        { updatedFields: { 'a.1': 2, 'a.2': 3 } },
      ],
      [
        'elements added at the front',
        { a: [1] },
        { $push: { a: { $each: [0], $position: 0 } } },
        { updatedFields: { a: [0, 1] } },
      ],
      ['what is pulled', { a: [1, 2] }, { $pull: { a: 1 } }, { updatedFields: { a: [2] } }],
      ['a new name', { a: 1 }, { $rename: { a: 'b' } }, { updatedFields: { b: 1 }, removedFields: ['a'] }],
      [
        'a shorter array',
        { a: 'a long text, so that the difference is smaller', b: ['a longer element', 2, 3] },
        [{ $set: { b: ['a longer element'] } }],
        { truncatedArrays: [{ field: 'b', newSize: 1 }] },
      ],
      [
        'a difference within',
        { a: { text: 'a long text, so that the difference is smaller', x: 1, y: 2 } },
        [{ $set: { 'a.x': 2 } }, { $unset: 'a.y' }],
        { updatedFields: { 'a.x': 2 }, removedFields: ['a.y'] },
      ],
    ];

    it.each(cases)('name %s', async (_, before, update, expected) => {
      await coll.insertOne({ _id: 1, ...before });
      const stream = await watch();
      await coll.updateOne({ _id: 1 }, update);
      const nothing = { updatedFields: {}, removedFields: [], truncatedArrays: [] };
      const [event] = await stream.take(1);
      expect(event!['updateDescription']).toEqual({ ...nothing, ...expected });
    });

    it('are omitted if a pipeline changes so much that it counts as a replacement', async () => {
      await coll.insertOne({ _id: 1, a: 1 });
      const stream = await watch();
      await coll.updateOne({ _id: 1 }, [{ $set: { a: 2 } }]);
      expect(await stream.take(1)).toMatchObject([
        { operationType: 'replace', fullDocument: { _id: 1, a: 2 } },
      ]);
    });
  });

  it('applies the following stages', async () => {
    const stream = await watch(
      {},
      { $match: { operationType: 'insert', 'fullDocument.a': { $gt: 1 } } },
      { $addFields: { twice: { $multiply: ['$fullDocument.a', 2] } } },
      { $project: { twice: 1 } },
    );
    await coll.insertMany([
      { _id: 1, a: 1 },
      { _id: 2, a: 2 },
    ]);
    const [event] = await stream.take(1);
    expect(event).toEqual({ _id: expect.anything() as unknown, twice: 4 });
  });

  it('rejects an event whose token was removed', async () => {
    const stream = await watch({}, { $project: { _id: 0 } });
    await coll.insertOne({ _id: 1 });
    const error = await serverError(stream.next());
    expect(error).toMatchObject({ code: 280, errorLabels: ['NonResumableChangeStreamError'] });
    expect(error.message).toContain('Encountered an event whose _id field, which contains the resume token');
  });

  const stageCases: [Document, number][] = [
    [{ $group: { _id: 1 } }, 20],
    [{ $sort: { a: 1 } }, 20],
    [{ $lookup: { from: 'x', as: 'y', pipeline: [] } }, 20],
    [{ $nothing: 1 }, 40324],
    [{ $changeStream: {} }, 40602],
  ];

  it.each(stageCases)('rejects the stage %j', async (stage, code) => {
    expect(await serverError(watch({}, stage))).toMatchObject({ code });
  });

  const optionCases: [unknown, number][] = [
    [5, 6188500],
    [{ foo: 1 }, 40415],
    [{ fullDocument: 'no' }, 2],
    [{ fullDocument: 1 }, 14],
    [{ resumeAfter: 1 }, 14],
    [{ startAtOperationTime: 1 }, 14],
    [{ allChangesForCluster: true }, 72],
    [{ resumeAfter: { _data: '00' }, startAfter: { _data: '00' } }, 50865],
  ];

  it.each(optionCases)('rejects the options %j', async (spec, code) => {
    expect(await serverError(watch(spec as Document))).toMatchObject({ code });
  });

  it('is rejected in the same positions and contexts as in MongoDB', async () => {
    const stream = [{ $changeStream: {} }];
    const command = { aggregate: 'c', pipeline: stream, cursor: {} };
    expect(await serverError(Watch.open(test.client.db('admin'), 1, stream))).toMatchObject({ code: 73 });
    expect(await serverError(Watch.open(db, 'system.x', stream))).toMatchObject({ code: 73 });
    const local = await serverError(db.command({ ...command, readConcern: { level: 'local' } }));
    expect(local).toMatchObject({ code: 72 });
    const inside = test.client.withSession(async (session) => {
      session.startTransaction();
      await db.command(command, { session });
    });
    expect(await serverError(inside)).toMatchObject({ code: 263 });
  });

  it('splits an event larger than the document limit on request', async () => {
    await db.createCollection('c', { changeStreamPreAndPostImages: { enabled: true } });
    const text = (letter: string) => letter.repeat(10 * 1024 * 1024);
    await coll.insertOne({ _id: 1, text: text('a') });
    const spec = { fullDocument: 'required', fullDocumentBeforeChange: 'required' };
    const whole = await watch(spec);
    const stream = await watch(spec, { $changeStreamSplitLargeEvent: {} });
    await coll.updateOne({ _id: 1 }, { $set: { text: text('b') } });
    expect(await serverError(whole.next())).toMatchObject({ code: 10334 });
    const [first] = await stream.next();
    expect(first).toMatchObject({ operationType: 'update', splitEvent: { fragment: 1, of: 3 } });
    const resumed = await watch(
      { ...spec, resumeAfter: first!['_id'] },
      { $changeStreamSplitLargeEvent: {} },
    );
    const rest = await resumed.take(2);
    expect(rest.map(({ splitEvent }) => splitEvent as Document)).toEqual([
      { fragment: 2, of: 3 },
      { fragment: 3, of: 3 },
    ]);
  });

  it('serves watch() of the driver, which resumes after its cursor was lost', async () => {
    const stream: ChangeStream = coll.watch([], { maxAwaitTimeMS: hour });
    const opened = once(stream as unknown as NodeJS.EventEmitter, 'resumeTokenChanged');
    const first = stream.next();
    await opened;
    await coll.insertOne({ _id: 1 });
    expect(await first).toMatchObject({ documentKey: { _id: 1 } });
    await test.client.db('admin').command({
      configureFailPoint: 'failGetMoreAfterCursorCheckout',
      mode: { times: 1 },
      data: { errorCode: 91 },
    });
    const next = stream.next();
    await coll.insertOne({ _id: 2 });
    expect(await next).toMatchObject({ documentKey: { _id: 2 } });
    await stream.close();
  });

  it('serves watch() of Mongoose models and connections', async () => {
    const connection = await mongoose
      .createConnection(test.store.uri, { dbName: db.databaseName })
      .asPromise();
    try {
      const Cat = connection.model('Cat', new mongoose.Schema({ name: String }));
      await Cat.init();
      const ofModel = Cat.watch([], { fullDocument: 'updateLookup', hydrate: true });
      const ofConnection = connection.watch();
      const seen = [ofModel, ofConnection].map(
        (stream) => new Promise<Document>((resolve) => stream.once('change', resolve)),
      );
      await new Promise<void>((resolve) =>
        (ofModel as unknown as NodeJS.EventEmitter).once('ready', resolve),
      );
      const cat = await Cat.create({ name: 'Tom' });
      for (const event of await Promise.all(seen)) {
        expect(event).toMatchObject({ operationType: 'insert', documentKey: { _id: cat._id } });
      }
      await Promise.all([ofModel.close(), ofConnection.close()]);
    } finally {
      await connection.close();
    }
  });
});
