import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { BackupError } from './backup-error.js';
import type { BackupKeys } from './backup-keys.js';

// An encrypted file is a header (magic, id of the key, random salt) and chunks. Each chunk is encrypted with
// AES-256-GCM under a key that is derived for this file from its salt. The nonce holds the number of the chunk
// and whether it is the last, and the header and the name of the file are authenticated with every chunk. So
// no chunk can be changed, moved, dropped or taken from another file without being noticed.

const ALGORITHM = 'aes-256-gcm';
const MAGIC = Buffer.from('CLQYBK1\n');
const KEY_ID_BYTES = 12;
const SALT_BYTES = 32;
const HEADER_BYTES = MAGIC.length + KEY_ID_BYTES + SALT_BYTES;
const TAG_BYTES = 16;
const NONCE_BYTES = 12;
const CHUNK_BYTES = 65_536;

function nonceOf(chunk: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES);
  nonce.writeUInt32BE(chunk, NONCE_BYTES - 5);
  nonce.writeUInt8(isLast ? 1 : 0, NONCE_BYTES - 1);
  return nonce;
}

const damaged = (name: string): BackupError =>
  new BackupError(
    `The file ${name} of the backup is damaged: it was altered or truncated. Use another backup, or another copy of this one.`,
  );

/** Reads a stream in pieces of at least a given size. */
class ByteReader {
  private pending: Buffer[] = [];
  private size = 0;
  private readonly source: AsyncIterator<Buffer>;

  constructor(source: AsyncIterable<Buffer>) {
    this.source = source[Symbol.asyncIterator]();
  }

  /** The next bytes, at least `bytes` of them unless the stream ends before. */
  async read(bytes: number): Promise<Buffer> {
    while (this.size < bytes) {
      const next = await this.source.next();
      if (next.done) break;
      this.pending.push(next.value);
      this.size += next.value.length;
    }
    const all = Buffer.concat(this.pending);
    this.pending = [];
    this.size = 0;
    return all;
  }

  /** Gives bytes back, so that they are read again. */
  unread(bytes: Buffer): void {
    this.pending = [bytes];
    this.size = bytes.length;
  }
}

/** Cuts a stream into chunks of a fixed size. The last one may be shorter, also empty. */
async function* chunksOf(
  reader: ByteReader,
  size: number,
): AsyncGenerator<{ bytes: Buffer; number: number; isLast: boolean }> {
  let number = 0;
  for (;;) {
    // One byte more than a chunk shows that the chunk is not the last.
    const all = await reader.read(size + 1);
    let at = 0;
    for (; all.length - at > size; at += size)
      yield { bytes: all.subarray(at, at + size), number: number++, isLast: false };
    const rest = all.subarray(at);
    if (all.length <= size) {
      yield { bytes: rest, number, isLast: true };
      return;
    }
    reader.unread(rest);
  }
}

/** Encrypts a stream for the file `name`. */
export async function* seal(
  source: AsyncIterable<Buffer>,
  keys: BackupKeys,
  keyId: string,
  name: string,
): AsyncGenerator<Buffer> {
  const salt = randomBytes(SALT_BYTES);
  const key = keys.derive(keyId, salt, 'file');
  const header = Buffer.concat([MAGIC, Buffer.from(keyId, 'latin1'), salt]);
  const context = Buffer.concat([header, Buffer.from(name)]);
  yield header;
  for await (const { bytes, number, isLast } of chunksOf(new ByteReader(source), CHUNK_BYTES)) {
    const cipher = createCipheriv(ALGORITHM, key, nonceOf(number, isLast)).setAAD(context);
    yield Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
  }
}

/**
 * Decrypts the file `name`.
 * @throws BackupError if the key is missing or the file is damaged
 */
export async function* unseal(
  source: AsyncIterable<Buffer>,
  keys: BackupKeys,
  name: string,
): AsyncGenerator<Buffer> {
  const reader = new ByteReader(source);
  const start = await reader.read(HEADER_BYTES);
  const header = start.subarray(0, HEADER_BYTES);
  if (header.length < HEADER_BYTES || !header.subarray(0, MAGIC.length).equals(MAGIC)) throw damaged(name);
  reader.unread(start.subarray(HEADER_BYTES));
  const keyId = header.subarray(MAGIC.length, MAGIC.length + KEY_ID_BYTES).toString('latin1');
  const key = keys.derive(keyId, header.subarray(MAGIC.length + KEY_ID_BYTES), 'file');
  const context = Buffer.concat([header, Buffer.from(name)]);
  for await (const { bytes, number, isLast } of chunksOf(reader, CHUNK_BYTES + TAG_BYTES)) {
    const end = bytes.length - TAG_BYTES;
    if (end < 0) throw damaged(name);
    const decipher = createDecipheriv(ALGORITHM, key, nonceOf(number, isLast), { authTagLength: TAG_BYTES });
    decipher.setAAD(context).setAuthTag(bytes.subarray(end));
    let plain: Buffer;
    try {
      plain = Buffer.concat([decipher.update(bytes.subarray(0, end)), decipher.final()]);
    } catch {
      throw damaged(name);
    }
    yield plain;
  }
}
