import { setImmediate } from 'node:timers/promises';
import { decode, encode, type Doc } from '../values/bson.js';
import { interrupted, ServerError, type ErrorCodeName } from '../values/errors.js';
import type { EngineCursor } from '../engine/types.js';

/** Documents passing through a pipeline, in batches. */
export type Batches = AsyncIterable<Doc[]>;

/** A running pipeline stage. */
export type Stage = (input: Batches) => Batches;

const batchSize = 256;
const sliceMs = 10;

/**
 * Yields to the event loop when a computation has blocked it for some time, so that other clients are served.
 */
export class Pacer {
  private since = performance.now();

  async yieldIfDue(): Promise<void> {
    if (performance.now() - this.since < sliceMs) return;
    await setImmediate();
    this.since = performance.now();
  }
}

/** Conditions that stop a pipeline between batches. */
export interface Interruption {
  deadline?: number | undefined;
  now: () => number;
  signal?: { readonly killed: boolean; readonly reason?: ErrorCodeName } | undefined;
}

export function checkInterrupted({ deadline, now, signal }: Interruption): void {
  if (signal?.killed) throw interrupted(signal.reason);
  if (deadline !== undefined && now() > deadline) {
    throw new ServerError('MaxTimeMSExpired', 'operation exceeded time limit');
  }
}

/** Decodes the documents of an engine cursor and closes the cursor at the end. */
export async function* decoded(
  cursor: EngineCursor,
  interruption: Interruption,
  read: (bytes: Uint8Array) => Doc = decode,
): AsyncGenerator<Doc[]> {
  const pacer = new Pacer();
  try {
    for (let done = false; !done;) {
      const batch = await cursor.next(batchSize);
      done = batch.done;
      checkInterrupted(interruption);
      if (batch.docs.length > 0) yield batch.docs.map(read);
      await pacer.yieldIfDue();
    }
  } finally {
    cursor.close();
  }
}

/** Splits documents into batches. */
export async function* batched(docs: readonly Doc[]): AsyncGenerator<Doc[]> {
  const pacer = new Pacer();
  for (let at = 0; at < docs.length; at += batchSize) {
    yield docs.slice(at, at + batchSize);
    await pacer.yieldIfDue();
  }
}

export async function collect(input: Batches, onBatch?: (batch: Doc[]) => void): Promise<Doc[]> {
  const all: Doc[] = [];
  for await (const batch of input) {
    onBatch?.(batch);
    for (const doc of batch) all.push(doc);
  }
  return all;
}

/** A stage that changes, drops or multiplies documents one by one. */
export const flatMapping = (change: (doc: Doc, out: Doc[]) => void): Stage =>
  async function* (input) {
    for await (const batch of input) {
      const out: Doc[] = [];
      for (const doc of batch) change(doc, out);
      if (out.length > 0) yield out;
    }
  };

export const mapping = (change: (doc: Doc) => Doc): Stage => flatMapping((doc, out) => out.push(change(doc)));

/** A stage that needs all input before it returns any output. */
export const blocking = (compute: (input: Batches) => Promise<readonly Doc[]>): Stage =>
  async function* (input) {
    yield* batched(await compute(input));
  };

/** A client's cursor on the result of a pipeline: documents as BSON, in batches of the requested size. */
export class PipelineCursor {
  private readonly iterator: AsyncIterator<Doc[]>;
  private pending: Doc[] = [];
  private at = 0;
  private held: Uint8Array | undefined;
  private ended = false;

  constructor(batches: Batches) {
    this.iterator = batches[Symbol.asyncIterator]();
  }

  async next(
    maxDocs: number,
    maxBytes = Number.MAX_SAFE_INTEGER,
  ): Promise<{ docs: Uint8Array[]; done: boolean }> {
    const docs: Uint8Array[] = [];
    let bytes = 0;
    while (docs.length < maxDocs) {
      const doc = this.held ?? (await this.draw());
      this.held = undefined;
      if (!doc) return { docs, done: true };
      bytes += doc.length;
      if (bytes > maxBytes && docs.length > 0) {
        this.held = doc;
        return { docs, done: false };
      }
      docs.push(doc);
    }
    return { docs, done: this.ended && this.at >= this.pending.length };
  }

  close(): void {
    this.ended = true;
    this.pending = [];
    void this.iterator.return?.().catch(() => undefined);
  }

  private async draw(): Promise<Uint8Array | undefined> {
    while (this.at >= this.pending.length) {
      if (this.ended) return undefined;
      const step = await this.iterator.next();
      if (step.done) {
        this.ended = true;
        return undefined;
      }
      this.pending = step.value;
      this.at = 0;
    }
    return encodeResult(this.pending[this.at++]!);
  }
}

const maxResultBytes = 16 * 1024 * 1024;

function encodeResult(doc: Doc): Uint8Array {
  const bytes = encode(doc);
  if (bytes.length > maxResultBytes) {
    throw new ServerError(
      'BSONObjectTooLarge',
      `BSONObj size: ${bytes.length} is invalid. Size must be between 0 and ${maxResultBytes}`,
    );
  }
  return bytes;
}
