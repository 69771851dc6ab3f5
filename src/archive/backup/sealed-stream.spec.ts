import { randomBytes } from 'node:crypto';
import { BackupKeys } from './backup-keys.js';
import { seal, unseal } from './sealed-stream.js';

const CHUNK = 65_536;
const SEALED_CHUNK = CHUNK + 16;
const HEADER = 8 + 12 + 32;

const keys = new BackupKeys([randomBytes(32)]);
const keyId = keys.current ?? '';

/** The bytes in pieces of the given size, as a stream delivers them. */
async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function collect(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

const sealed = (plain: Buffer, name = 'a', by = keys, piece = 10_000): Promise<Buffer> =>
  collect(seal(inPieces(plain, piece), by, by.current ?? '', name));
const opened = (bytes: Buffer, name = 'a', by = keys, piece = 10_000): Promise<Buffer> =>
  collect(unseal(inPieces(bytes, piece), by, name));

describe('an encrypted file', () => {
  it.each([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 17])(
    'of %d bytes is the same when it is decrypted, however it is cut into pieces',
    async (size) => {
      const plain = randomBytes(size);
      for (const piece of [7 * CHUNK, 100_000, 4099]) {
        const bytes = await sealed(plain, 'a', keys, piece);
        expect((await opened(bytes, 'a', keys, piece)).equals(plain)).toBe(true);
      }
    },
  );

  it('is different each time, and does not contain the text', async () => {
    const plain = Buffer.alloc(1000, 'a sentence ');
    const [first, second] = [await sealed(plain), await sealed(plain)];
    expect(first.subarray(HEADER).equals(second.subarray(HEADER))).toBe(false);
    expect(first.includes('sentence')).toBe(false);
  });

  const three = randomBytes(3 * CHUNK);
  const chunk = (bytes: Buffer, n: number): Buffer =>
    bytes.subarray(HEADER + n * SEALED_CHUNK, HEADER + (n + 1) * SEALED_CHUNK);

  it.each<[string, (bytes: Buffer, other: Buffer) => Buffer]>([
    ['truncated within a chunk', (bytes) => bytes.subarray(0, HEADER + 2 * SEALED_CHUNK + 50)],
    ['truncated after a chunk', (bytes) => bytes.subarray(0, HEADER + 2 * SEALED_CHUNK)],
    ['truncated after the header', (bytes) => bytes.subarray(0, HEADER)],
    ['truncated within the header', (bytes) => bytes.subarray(0, HEADER - 1)],
    ['empty', () => Buffer.alloc(0)],
    ['longer', (bytes) => Buffer.concat([bytes, Buffer.alloc(1)])],
    [
      'reordered',
      (bytes) =>
        Buffer.concat([bytes.subarray(0, HEADER), chunk(bytes, 1), chunk(bytes, 0), chunk(bytes, 2)]),
    ],
    [
      'without a chunk',
      (bytes) => Buffer.concat([bytes.subarray(0, HEADER), chunk(bytes, 0), chunk(bytes, 2)]),
    ],
    [
      'mixed with another file of the same key',
      (bytes, other) =>
        Buffer.concat([bytes.subarray(0, HEADER), chunk(other, 0), chunk(bytes, 1), chunk(bytes, 2)]),
    ],
    [
      'altered by one bit',
      (bytes) => {
        const copy = Buffer.from(bytes);
        copy[HEADER + 100] = (copy[HEADER + 100] ?? 0) ^ 1;
        return copy;
      },
    ],
  ])('that is %s is refused', async (_how, damage) => {
    const bytes = await sealed(three);
    expect((await opened(bytes)).equals(three)).toBe(true);
    await expect(opened(damage(bytes, await sealed(three)))).rejects.toThrow('altered or truncated');
  });

  it('is refused under another name', async () => {
    await expect(opened(await sealed(three, 'a'), 'b')).rejects.toThrow('altered or truncated');
  });

  it('can be decrypted while its key is in the list, and not afterwards', async () => {
    const [old, current] = [randomBytes(32), randomBytes(32)];
    const bytes = await sealed(three, 'a', new BackupKeys([old]));
    expect((await opened(bytes, 'a', new BackupKeys([current, old]))).equals(three)).toBe(true);
    await expect(opened(bytes, 'a', new BackupKeys([current]))).rejects.toThrow('which is not in BACKUP_KEY');
    await expect(opened(bytes, 'a', new BackupKeys([]))).rejects.toThrow('BACKUP_KEY is not set');
    expect(new BackupKeys([current, old]).current).not.toBe(new BackupKeys([old]).current);
    expect(keyId).toHaveLength(12);
  });
});
