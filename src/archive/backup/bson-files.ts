import { createHash, type Hash } from 'node:crypto';
import type { mongo } from 'mongoose';
import { DocumentSequence } from 'mongodb/lib/cmap/commands.js';
import { BackupError } from './backup-error.js';

/** Few enough that the event loop is not held up for long between two batches. */
const READ_BATCH = 500;
const INSERT_DOCUMENTS = 2000;
const INSERT_BYTES = 8 * 1024 * 1024;
const SMALLEST_BSON = 5;
/** MongoDB's limit for a document, and what it allows itself beyond it. */
const LARGEST_BSON = 16 * 1024 * 1024 + 64 * 1024;

/** Counts documents and hashes their BSON. */
export class DocumentSum {
  private readonly hash: Hash = createHash('sha256');
  private documents = 0;
  bytes = 0;

  add(document: Uint8Array): void {
    this.hash.update(document);
    this.documents++;
    this.bytes += document.length;
  }

  /** Call it once. */
  result(): { count: number; sha256: string } {
    return { count: this.documents, sha256: this.hash.digest('hex') };
  }
}

/** The BSON of every document of a collection, in the order of _id. */
export async function* rawDocuments(
  collection: mongo.Collection,
  signal: AbortSignal,
  session?: mongo.ClientSession,
): AsyncGenerator<Uint8Array> {
  const cursor = collection.find(
    {},
    { raw: true, sort: { _id: 1 }, batchSize: READ_BATCH, ...(session && { session }) },
  );
  try {
    for await (const document of cursor) {
      signal.throwIfAborted();
      // With `raw`, the driver returns the bytes, contrary to its types.
      yield document as unknown as Uint8Array;
    }
  } finally {
    await cursor.close();
  }
}

export async function sumCollection(
  collection: mongo.Collection,
  signal: AbortSignal,
): Promise<{ count: number; sha256: string }> {
  const sum = new DocumentSum();
  for await (const document of rawDocuments(collection, signal)) sum.add(document);
  return sum.result();
}

/** Cuts a stream into BSON documents. @throws BackupError if it is none */
export async function* splitDocuments(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let pending: Buffer[] = [];
  let size = 0;
  let wanted = SMALLEST_BSON;
  for await (const data of source) {
    pending.push(data);
    size += data.length;
    if (size < wanted) continue;
    const all = Buffer.concat(pending);
    let at = 0;
    for (;;) {
      wanted = all.length - at < SMALLEST_BSON ? SMALLEST_BSON : all.readInt32LE(at);
      if (wanted < SMALLEST_BSON || wanted > LARGEST_BSON) throw notBson();
      if (all.length - at < wanted) break;
      yield all.subarray(at, at + wanted);
      at += wanted;
    }
    pending = [all.subarray(at)];
    size = all.length - at;
  }
  if (size > 0) throw notBson();
}

const notBson = (): BackupError =>
  new BackupError('A file of the backup does not contain whole BSON documents. Use another backup.');

interface InsertReply {
  writeErrors?: { errmsg?: string }[];
}

/**
 * Inserts BSON as it is. The driver would decode and encode it, which does not keep every type. This relies on
 * a part of the driver that it does not publish; its version is pinned, and the tests fail if that changes.
 */
export async function insertRaw(
  database: mongo.Db,
  name: string,
  documents: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  let sequence = new DocumentSequence('documents');
  let count = 0;
  let bytes = 0;
  const send = async (): Promise<void> => {
    if (count === 0) return;
    const reply = (await database.command({
      insert: name,
      documents: sequence,
      ordered: true,
      // They were valid when they were written.
      bypassDocumentValidation: true,
      writeConcern: { w: 'majority' },
    })) as InsertReply;
    const problem = reply.writeErrors?.[0];
    if (problem) throw new Error(`the server refused a document of ${name}: ${problem.errmsg ?? ''}`);
    sequence = new DocumentSequence('documents');
    count = 0;
    bytes = 0;
  };
  for await (const document of documents) {
    signal.throwIfAborted();
    if (bytes + document.length > INSERT_BYTES) await send();
    sequence.push({}, document);
    count++;
    bytes += document.length;
    if (count === INSERT_DOCUMENTS) await send();
  }
  await send();
}
