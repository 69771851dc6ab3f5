// A worker thread that implements just enough of the wire protocol to reply to the driver immediately, with
// no database behind it. The rate that the driver reaches against it is the upper limit for any server on
// this machine.
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { parentPort } from 'node:worker_threads';
import { type Document, Long, ObjectId, serialize } from 'bson';

const HEADER_BYTES = 16;
const OP_QUERY = 2004;
/**
 * Offset of the command name, after the flag bits, the kind byte of the body section, the body's length and
 * the element type.
 */
const COMMAND_NAME = HEADER_BYTES + 4 + 1 + 4 + 1;

const hello = (): Document => ({
  ok: 1,
  helloOk: true,
  isWritablePrimary: true,
  setName: 'null',
  setVersion: 1,
  hosts: ['127.0.0.1'],
  me: '127.0.0.1',
  maxBsonObjectSize: 16 * 1024 * 1024,
  maxMessageSizeBytes: 48_000_000,
  maxWriteBatchSize: 100_000,
  localTime: new Date(),
  logicalSessionTimeoutMinutes: 30,
  connectionId: 1,
  minWireVersion: 0,
  maxWireVersion: 25,
});

const one: Document = {
  _id: new ObjectId(),
  tenantId: 'tenant-1',
  conversationId: 'conversation-1',
  seq: 1,
  text: 'x'.repeat(100),
};
const page = (size: number): Document => ({
  cursor: { id: Long.ZERO, ns: 'bench.messages', firstBatch: Array.from({ length: size }, () => one) },
  ok: 1,
});

/** Fixed replies by command. A find with a limit of 50 returns 50 documents, any other find returns one. */
const canned = new Map<string, Buffer>(
  Object.entries({
    insert: { n: 1, ok: 1 },
    update: { n: 1, nModified: 1, ok: 1 },
    find: page(1),
    aggregate: page(100),
  }).map(([name, reply]) => [name, frame(reply)]),
);
const ok = frame({ ok: 1 });
const pageOf50 = frame(page(50));
const limitOf50 = Buffer.concat([Buffer.from('\x10limit\0'), Buffer.from([50, 0, 0, 0])]);

function frame(reply: Document): Buffer {
  const body = serialize(reply);
  const message = Buffer.alloc(HEADER_BYTES + 5 + body.length);
  message.writeInt32LE(message.length, 0);
  message.writeInt32LE(2013, 12);
  message.set(body, HEADER_BYTES + 5);
  return message;
}

/** Builds the reply to the driver's first hello, which is sent as OP_QUERY. */
function frameLegacy(reply: Document): Buffer {
  const body = serialize(reply);
  const message = Buffer.alloc(HEADER_BYTES + 20 + body.length);
  message.writeInt32LE(message.length, 0);
  message.writeInt32LE(1, 12);
  message.writeInt32LE(1, HEADER_BYTES + 16);
  message.set(body, HEADER_BYTES + 20);
  return message;
}

function answer(request: Buffer): Buffer | undefined {
  if (request.readInt32LE(12) === OP_QUERY) return frameLegacy(hello());
  const name = request.toString('latin1', COMMAND_NAME, request.indexOf(0, COMMAND_NAME));
  // A monitor that waits for changes receives no reply, because nothing ever changes here.
  if (name === 'hello' && request.readUInt32LE(HEADER_BYTES) !== 0) return undefined;
  if (name === 'hello') return frame(hello());
  if (name === 'find' && request.includes(limitOf50)) return Buffer.from(pageOf50);
  return Buffer.from(canned.get(name) ?? ok);
}

function serve(socket: Socket): void {
  let pending: Buffer = Buffer.alloc(0);
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    while (pending.length >= HEADER_BYTES && pending.length >= pending.readInt32LE(0)) {
      const size = pending.readInt32LE(0);
      const reply = answer(pending.subarray(0, size));
      reply?.writeInt32LE(pending.readInt32LE(4), 8);
      if (reply) socket.write(reply);
      pending = pending.subarray(size);
    }
  });
}

const server = createServer(serve);
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  parentPort?.postMessage(`mongodb://127.0.0.1:${port}/?directConnection=true`);
});
