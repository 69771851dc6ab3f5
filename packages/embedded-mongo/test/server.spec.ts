import { type Collection, type Document, MongoClient } from 'mongodb';
import { openTestStore, serverError, type TestStore } from './store.js';

let test: TestStore;
let coll: Collection<Document>;
let names = 0;

beforeAll(async () => {
  test = await openTestStore();
});

afterAll(() => test.close());

beforeEach(() => {
  names += 1;
  coll = test.client.db('server').collection(`c${names}`);
});

describe('the server', () => {
  it('returns CommandNotFound for an unknown command and keeps the connection open', async () => {
    const client = await test.connect({ maxPoolSize: 1 });
    const error = await serverError(client.db('server').command({ notACommand: 1 }));
    expect(error).toMatchObject({
      code: 59,
      codeName: 'CommandNotFound',
      message: "no such command: 'notACommand'",
    });
    expect(await client.db('server').command({ ping: 1 })).toMatchObject({ ok: 1 });
  });

  it.each<[Document, number]>([
    [{ find: 'c', nonsense: 1 }, 40415],
    [{ find: 'c', limit: 'x' }, 14],
    [{ find: 'c', filter: [1] }, 14],
    [{ find: 5 }, 73],
    [{ insert: 'a$b', documents: [{}] }, 73],
    [{ insert: 'c' }, 40414],
    [{ insert: 'c', documents: [] }, 16],
    [{ delete: 'c', deletes: [{ q: {}, limit: 7 }] }, 9],
    [{ findAndModify: 'c', query: {} }, 9],
    [{ renameCollection: 'a.b', to: 'a.c' }, 13],
    [{ find: 'c', maxTimeMS: -1 }, 2],
  ])('rejects %j with code %i', async (command, code) => {
    expect((await serverError(test.client.db('server').command(command))).code).toBe(code);
  });

  it('reports its version and capabilities', async () => {
    const admin = test.client.db('admin');
    expect(await admin.command({ buildInfo: 1 })).toMatchObject({ version: '8.0.0' });
    const hello = await admin.command({ hello: 1 });
    expect(hello).toMatchObject({ isWritablePrimary: true, setName: 'embedded', maxWireVersion: 25 });
    await coll.insertOne({ a: 1 });
    const status = await admin.command({ serverStatus: 1 });
    expect(status).toMatchObject({ ok: 1, version: '8.0.0', repl: { setName: 'embedded' } });
    const counts = status as unknown as { connections: { current: number }; opcounters: { insert: number } };
    expect(counts.connections.current).toBeGreaterThan(0);
    expect(counts.opcounters.insert).toBeGreaterThan(0);
    expect(await test.client.db('server').command({ collStats: coll.collectionName })).toMatchObject({
      count: 1,
    });
    expect(await test.client.db('server').stats()).toMatchObject({ db: 'server' });
  });

  it('stops an operation that takes longer than maxTimeMS', async () => {
    await coll.insertMany(Array.from({ length: 20_000 }, (_, n) => ({ n })));
    const slow = coll.aggregate(
      [
        {
          $lookup: {
            from: coll.collectionName,
            pipeline: [{ $match: { n: -1 } }],
            let: { n: '$n' },
            as: 'none',
          },
        },
        { $count: 'n' },
      ],
      { maxTimeMS: 50 },
    );
    expect((await serverError(slow.toArray())).code).toBe(50);
  });

  it('accepts unacknowledged writes', async () => {
    await coll.insertOne({ _id: 1 as never }, { writeConcern: { w: 0 } });
    const client = await test.connect({ maxPoolSize: 1 });
    const own = client.db('server').collection(coll.collectionName);
    await own.insertOne({ _id: 2 as never }, { writeConcern: { w: 0 } });
    expect(await own.findOne({ _id: 2 as never })).toEqual({ _id: 2 });
  });

  it('closes a connection with invalid data and keeps serving others', async () => {
    const { createConnection } = await import('node:net');
    const path = decodeURIComponent(test.store.uri.slice('mongodb://'.length, test.store.uri.indexOf('/?')));
    const socket = createConnection(path);
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => undefined);
    socket.write(Buffer.from('GET / HTTP/1.1\r\nHost: nobody\r\n\r\n'));
    await closed;
    expect(await test.client.db('server').command({ ping: 1 })).toMatchObject({ ok: 1 });
  });
});

describe('heartbeats', () => {
  it('are streamed, so that monitoring continues without new requests', async () => {
    const client = new MongoClient(test.store.uri, { heartbeatFrequencyMS: 500 });
    let awaited = 0;
    const seen = new Promise<void>((resolve, reject) => {
      client.on('serverHeartbeatFailed', (event) => reject(event.failure));
      client.on('serverHeartbeatSucceeded', (event) => {
        if (event.awaited) awaited += 1;
        if (awaited === 2) resolve();
      });
    });
    await client.connect();
    await seen;
    await client.close();
    expect(awaited).toBe(2);
  });
});

describe('the store', () => {
  it('is served over TCP if a port is given, and reports a port that is in use', async () => {
    const tcp = await openTestStore({ port: 0 });
    try {
      expect(tcp.store.uri).toMatch(/^mongodb:\/\/127\.0\.0\.1:\d+\/\?directConnection=true$/);
      await tcp.client.withSession((session) =>
        session.withTransaction(() => tcp.client.db('t').collection('c').insertOne({ a: 1 }, { session })),
      );
      expect(await tcp.client.db('t').collection('c').countDocuments()).toBe(1);
      const port = Number(new URL(tcp.store.uri).port);
      await expect(openTestStore({ port })).rejects.toThrow(`127.0.0.1:${port} is in use`);
    } finally {
      await tcp.close();
    }
  });

  it('keeps its documents when it is closed and reopened', async () => {
    const own = await openTestStore();
    try {
      await own.client
        .db('d')
        .collection('c')
        .insertOne({ _id: 1 as never });
      await own.reopen();
      expect(await own.client.db('d').collection('c').findOne()).toEqual({ _id: 1 });
    } finally {
      await own.close();
    }
  });
});
