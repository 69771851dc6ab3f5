import { Double, Int32, serialize } from 'bson';
import { DocumentSum, splitDocuments } from './bson-files.js';

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function split(bytes: Buffer, piece: number): Promise<string[]> {
  const documents: string[] = [];
  for await (const document of splitDocuments(inPieces(bytes, piece)))
    documents.push(document.toString('hex'));
  return documents;
}

const documents = [{}, { n: 1 }, { text: 'x'.repeat(1000) }, { list: [1, 2] }].map((document) =>
  Buffer.from(serialize(document)),
);
const whole = Buffer.concat(documents);

describe('splitDocuments', () => {
  it.each([1, 3, 4, 5, 7, 100, 5000])('finds the documents in pieces of %d bytes', async (piece) => {
    expect(await split(whole, piece)).toEqual(documents.map((document) => document.toString('hex')));
  });

  it('finds none in an empty file', async () => {
    expect(await split(Buffer.alloc(0), 1)).toEqual([]);
  });

  it.each([
    ['is cut off', whole.subarray(0, whole.length - 1)],
    ['has a length below the smallest', Buffer.from([4, 0, 0, 0, 0])],
    ['has a negative length', Buffer.from([255, 255, 255, 255, 0])],
    ['has a length above the largest', Buffer.from([0, 0, 0, 127, 0])],
  ])('refuses a file that %s', async (_how, bytes) => {
    await expect(split(bytes, 100)).rejects.toThrow('whole BSON documents');
  });
});

describe('DocumentSum', () => {
  const sumOf = (...values: object[]): { count: number; sha256: string } => {
    const sum = new DocumentSum();
    for (const value of values) sum.add(serialize(value));
    return sum.result();
  };

  it('depends on types and on the order', () => {
    expect(sumOf({ n: new Int32(1) })).toEqual(sumOf({ n: new Int32(1) }));
    expect(sumOf({ n: new Int32(1) }).sha256).not.toBe(sumOf({ n: new Double(1) }).sha256);
    expect(sumOf({ a: 1 }, { b: 1 }).sha256).not.toBe(sumOf({ b: 1 }, { a: 1 }).sha256);
    expect(sumOf({ a: 1 }, { b: 1 }).count).toBe(2);
  });
});
