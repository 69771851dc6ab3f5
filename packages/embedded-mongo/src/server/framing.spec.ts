import { deserialize, serialize } from 'bson';
import { BsonWriter } from '../commands/bson-writer.js';
import { crc32c } from './checksum.js';
import { FrameReader, frameReply, parseMessage, replyPrefixBytes } from './framing.js';

interface MessageParts {
  flags?: number;
  sections: Uint8Array[];
  checksum?: boolean;
}

const bodySection = (doc: object): Uint8Array => Buffer.concat([Buffer.from([0]), serialize(doc)]);

function sequenceSection(name: string, docs: object[]): Uint8Array {
  const content = Buffer.concat([Buffer.from(`${name}\0`), ...docs.map((doc) => serialize(doc))]);
  const length = Buffer.alloc(4);
  length.writeInt32LE(content.length + 4);
  return Buffer.concat([Buffer.from([1]), length, content]);
}

function opMsg({ flags = 0, sections, checksum }: MessageParts): Buffer {
  const head = Buffer.alloc(20);
  head.writeInt32LE(7, 4);
  head.writeInt32LE(2013, 12);
  head.writeUInt32LE(checksum ? flags | 1 : flags, 16);
  const message = Buffer.concat([head, ...sections, Buffer.alloc(checksum ? 4 : 0)]);
  message.writeInt32LE(message.length, 0);
  if (checksum) message.writeUInt32LE(crc32c(message.subarray(0, -4)), message.length - 4);
  return message;
}

describe('FrameReader', () => {
  const message = opMsg({ sections: [bodySection({ ping: 1, $db: 'admin' })] });

  it('joins a message that arrives byte by byte', () => {
    const reader = new FrameReader();
    for (let i = 0; i < message.length - 1; i++) {
      reader.push(message.subarray(i, i + 1));
      expect(reader.next()).toBeUndefined();
    }
    reader.push(message.subarray(-1));
    expect(reader.next()).toEqual(message);
    expect(reader.next()).toBeUndefined();
  });

  it('splits messages in one chunk and keeps the start of the next', () => {
    const reader = new FrameReader();
    reader.push(Buffer.concat([message, message, message.subarray(0, 10)]));
    expect(reader.next()).toEqual(message);
    expect(reader.next()).toEqual(message);
    expect(reader.next()).toBeUndefined();
    reader.push(message.subarray(10));
    expect(reader.next()).toEqual(message);
  });

  it.each([15, -1, 48_000_001])('rejects a message length of %i', (length) => {
    const reader = new FrameReader();
    const head = Buffer.alloc(16);
    head.writeInt32LE(length, 0);
    reader.push(head);
    expect(() => reader.next()).toThrow('message length');
  });
});

describe('parseMessage', () => {
  it('reads the body and the document sequences', () => {
    const request = parseMessage(
      opMsg({
        flags: 2 | (1 << 16),
        sections: [
          sequenceSection('documents', [{ a: 1 }, { a: 2 }]),
          bodySection({ insert: 'c', $db: 'd' }),
        ],
      }),
    );
    expect(deserialize(request.body)).toEqual({ insert: 'c', $db: 'd' });
    expect(request.sequences.get('documents')?.map((doc) => deserialize(doc))).toEqual([{ a: 1 }, { a: 2 }]);
    expect(request).toMatchObject({ requestId: 7, kind: 'message', moreToCome: true, exhaustAllowed: true });
  });

  it('accepts a correct checksum and rejects a wrong one', () => {
    const message = opMsg({ sections: [bodySection({ ping: 1 })], checksum: true });
    expect(deserialize(parseMessage(message).body)).toEqual({ ping: 1 });
    message[message.length - 1]! ^= 1;
    expect(() => parseMessage(message)).toThrow('checksum');
  });

  it.each<[string, MessageParts, string]>([
    ['an unknown required flag', { flags: 4, sections: [bodySection({ a: 1 })] }, 'unknown flags'],
    ['two bodies', { sections: [bodySection({ a: 1 }), bodySection({ a: 1 })] }, 'two bodies'],
    ['no body', { sections: [sequenceSection('documents', [{ a: 1 }])] }, 'no body'],
    [
      'an unknown section',
      { sections: [Buffer.concat([Buffer.from([9]), serialize({ a: 1 })])] },
      'unknown kind',
    ],
    ['a body cut short', { sections: [bodySection({ a: 'long enough' }).subarray(0, 12)] }, 'wrong length'],
  ])('refuses %s', (_, parts, reason) => {
    expect(() => parseMessage(opMsg(parts))).toThrow(reason);
  });

  it('reads the legacy handshake', () => {
    const head = Buffer.alloc(20);
    head.writeInt32LE(3, 4);
    head.writeInt32LE(2004, 12);
    const message = Buffer.concat([
      head,
      Buffer.from('admin.$cmd\0'),
      Buffer.alloc(8),
      serialize({ isMaster: 1 }),
    ]);
    message.writeInt32LE(message.length, 0);
    const request = parseMessage(message);
    expect(request).toMatchObject({ kind: 'legacy', legacyDb: 'admin', requestId: 3 });
    expect(deserialize(request.body)).toEqual({ isMaster: 1 });
  });

  it('rejects compressed messages', () => {
    const head = Buffer.alloc(40);
    head.writeInt32LE(40, 0);
    head.writeInt32LE(2012, 12);
    expect(() => parseMessage(head)).toThrow('2012');
  });
});

describe('frameReply', () => {
  it.each(['message', 'legacy'] as const)('frames a %s in place', (kind) => {
    const prefix = replyPrefixBytes(kind);
    const writer = new BsonWriter(prefix);
    writer.begin();
    writer.fields({ ok: 1, text: 'é', big: 2n ** 40n, list: [1, null, { a: true }] });
    writer.end();
    const message = writer.finish();
    frameReply(message, kind, { responseTo: 42 });
    expect(message.readInt32LE(0)).toBe(message.length);
    expect(message.readInt32LE(8)).toBe(42);
    expect(message.readInt32LE(12)).toBe(kind === 'legacy' ? 1 : 2013);
    expect(deserialize(message.subarray(prefix))).toEqual({
      ok: 1,
      text: 'é',
      big: 2 ** 40,
      list: [1, null, { a: true }],
    });
  });

  it('marks a reply that others follow and returns its id', () => {
    const message = Buffer.alloc(replyPrefixBytes('message') + 5);
    const id = frameReply(message, 'message', { responseTo: 7, moreToCome: true });
    expect(message.readInt32LE(4)).toBe(id);
    expect(message.readUInt32LE(16)).toBe(2);
    expect(frameReply(message, 'message', { responseTo: id })).not.toBe(id);
    expect(message.readInt32LE(8)).toBe(id);
    expect(message.readUInt32LE(16)).toBe(0);
  });
});
