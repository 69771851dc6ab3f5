import { connect, type Socket } from 'node:net';
import { deserialize, serialize } from 'bson';
import type { Document } from 'mongodb';
import { openTestStore, type TestStore } from './store.js';

const exhaustAllowed = 1 << 16;
const moreToCome = 2;

interface Reply {
  id: number;
  responseTo: number;
  flags: number;
  body: Document;
}

/** A connection that sends OP_MSG with given flags and reads the replies one at a time. */
class RawClient {
  private buffered = Buffer.alloc(0);
  private readonly waiting: ((reply: Reply) => void)[] = [];
  private readonly replies: Reply[] = [];

  constructor(readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.buffered = Buffer.concat([this.buffered, chunk]);
      while (this.buffered.length >= 4 && this.buffered.length >= this.buffered.readInt32LE(0)) this.cut();
    });
  }

  send(body: Document, flags = 0): void {
    const head = Buffer.alloc(21);
    const document = serialize({ ...body, $db: 'exhaust' });
    head.writeInt32LE(head.length + document.length, 0);
    head.writeInt32LE(77, 4);
    head.writeInt32LE(2013, 12);
    head.writeUInt32LE(flags, 16);
    this.socket.write(Buffer.concat([head, document]));
  }

  reply(): Promise<Reply> {
    const known = this.replies.shift();
    return known ? Promise.resolve(known) : new Promise((resolve) => this.waiting.push(resolve));
  }

  private cut(): void {
    const length = this.buffered.readInt32LE(0);
    const message = this.buffered.subarray(0, length);
    this.buffered = this.buffered.subarray(length);
    const reply: Reply = {
      id: message.readInt32LE(4),
      responseTo: message.readInt32LE(8),
      flags: message.readUInt32LE(16),
      body: deserialize(message.subarray(21)),
    };
    const waiting = this.waiting.shift();
    if (waiting) waiting(reply);
    else this.replies.push(reply);
  }
}

describe('a getMore with exhaustAllowed', () => {
  let store: TestStore;
  let client: RawClient;

  beforeAll(async () => {
    store = await openTestStore({ port: 0 });
    await store.client
      .db('exhaust')
      .collection<{ _id: number }>('c')
      .insertMany(Array.from({ length: 7 }, (_, _id) => ({ _id })));
    client = new RawClient(connect(Number(new URL(store.store.uri).port), '127.0.0.1'));
  });

  afterAll(async () => {
    client.socket.destroy();
    await store.close();
  });

  const open = async (): Promise<unknown> => {
    client.send({ find: 'c', batchSize: 2 });
    return ((await client.reply()).body['cursor'] as Document)['id'] as unknown;
  };

  it('returns replies until the cursor is exhausted, each in response to the previous one', async () => {
    client.send({ getMore: await open(), collection: 'c', batchSize: 2 }, exhaustAllowed);
    const replies = [await client.reply(), await client.reply(), await client.reply()];
    expect(replies.map(({ flags }) => flags)).toEqual([moreToCome, moreToCome, 0]);
    expect(replies.map(({ responseTo }) => responseTo)).toEqual([77, replies[0]!.id, replies[1]!.id]);
    const batches = replies.map(
      ({ body }) => ((body['cursor'] as Document)['nextBatch'] as Document[]).length,
    );
    expect(batches).toEqual([2, 2, 1]);
  });

  it('ends together with its cursor when the client disconnects', async () => {
    const db = store.client.db('exhaust');
    const text = 'x'.repeat(100_000);
    await db.collection('big').insertMany(Array.from({ length: 400 }, () => ({ text })));
    const gone = new RawClient(connect(Number(new URL(store.store.uri).port), '127.0.0.1'));
    gone.send({ find: 'big', batchSize: 1 });
    const { body } = await gone.reply();
    const { id } = body['cursor'] as Document;
    gone.send({ getMore: id as unknown, collection: 'big', batchSize: 1 }, exhaustAllowed);
    await gone.reply();
    gone.socket.destroy();
    const open = async (): Promise<number> => {
      const { metrics } = (await db.command({ serverStatus: 1 })) as {
        metrics: { cursor: { open: { total: number } } };
      };
      return Number(metrics.cursor.open.total);
    };
    let left = await open();
    while (left > 0) left = await open();
    expect(left).toBe(0);
  });

  it('ends on an error and keeps the connection open', async () => {
    const id = await open();
    client.send({ killCursors: 'c', cursors: [id] });
    await client.reply();
    client.send({ getMore: id, collection: 'c' }, exhaustAllowed);
    await expect(client.reply()).resolves.toMatchObject({ flags: 0, body: { code: 43 } });
    client.send({ ping: 1 });
    await expect(client.reply()).resolves.toMatchObject({ body: { ok: 1 } });
  });
});
