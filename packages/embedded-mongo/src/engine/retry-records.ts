import { decode, encode, toNumber } from '../values/bson.js';
import type { Doc, Value } from '../values/bson.js';
import { Binary } from 'bson';
import { ServerError } from '../values/errors.js';
import { KeySpace, prefixEnd, readU32, readU64, textKey, writeU32, writeU64 } from './key-layout.js';
import type { View } from './view.js';

/** How long an unused record is kept: the lifetime of a logical session. */
export const RETRY_RECORD_LIFETIME_MS = 30 * 60_000;

/** The result of one statement of a retryable write. */
export type StatementOutcome =
  | { kind: 'insert' }
  | { kind: 'update'; n: number; nModified: number; upserted?: Value; hasUpserted?: boolean }
  | { kind: 'delete'; n: number }
  | {
      kind: 'findAndModify';
      value: Uint8Array | null;
      n: number;
      updatedExisting?: boolean;
      upsertedId?: Value;
    };

interface Sink {
  put(key: Uint8Array, value: Uint8Array): void;
}

/** The highest transaction number of a session and the results of its statements. */
export class RetryRecord {
  committed = false;
  /** Statement numbers of completed inserts, as [first, count] pairs. */
  readonly inserted: [number, number][] = [];
  readonly others = new Map<number, StatementOutcome>();

  constructor(readonly txnNumber: bigint) {}

  outcome(statement: number): StatementOutcome | undefined {
    for (const [first, count] of this.inserted) {
      if (statement >= first && statement < first + count) return { kind: 'insert' };
    }
    return this.others.get(statement);
  }

  remember(statement: number, outcome: StatementOutcome): void {
    if (outcome.kind !== 'insert') {
      this.others.set(statement, outcome);
      return;
    }
    const last = this.inserted.at(-1);
    if (last && last[0] + last[1] === statement) last[1]++;
    else this.inserted.push([statement, 1]);
  }
}

const HEADER = 21;

const encodeRecord = (record: RetryRecord, usedAt: number): Uint8Array => {
  const others = record.others.size > 0 ? encode({ s: [...record.others].map(outcomeDoc) }) : undefined;
  const ranges = HEADER + record.inserted.length * 8;
  const bytes = Buffer.alloc(ranges + (others?.length ?? 0));
  bytes[0] = record.committed ? 1 : 0;
  bytes.writeBigInt64BE(record.txnNumber, 1);
  writeU64(bytes, 9, usedAt);
  writeU32(bytes, 17, record.inserted.length);
  record.inserted.forEach(([first, count], i) => {
    writeU32(bytes, HEADER + i * 8, first);
    writeU32(bytes, HEADER + 4 + i * 8, count);
  });
  if (others) bytes.set(others, ranges);
  return bytes;
};

const decodeRecord = (bytes: Uint8Array): RetryRecord => {
  const record = new RetryRecord(numberOf(bytes));
  record.committed = bytes[0] === 1;
  const ranges = readU32(bytes, 17);
  for (let i = 0; i < ranges; i++) {
    record.inserted.push([readU32(bytes, HEADER + i * 8), readU32(bytes, HEADER + 4 + i * 8)]);
  }
  const rest = bytes.subarray(HEADER + ranges * 8);
  if (rest.length > 0) {
    for (const doc of decode(rest).s as Doc[]) record.others.set(toNumber(doc.i), outcomeOf(doc));
  }
  return record;
};

const numberOf = (bytes: Uint8Array): bigint =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).readBigInt64BE(1);

const usedAtOf = (bytes: Uint8Array): number => readU64(bytes, 9);

const outcomeDoc = ([statement, outcome]: [number, StatementOutcome]): Doc => {
  const doc: Doc = { i: statement, k: outcome.kind };
  if (outcome.kind === 'insert') return doc;
  doc.n = outcome.n;
  if (outcome.kind === 'update') {
    doc.m = outcome.nModified;
    if (outcome.hasUpserted) doc.u = outcome.upserted ?? null;
  } else if (outcome.kind === 'findAndModify') {
    if (outcome.value) doc.v = new Binary(outcome.value);
    if (outcome.updatedExisting !== undefined) doc.e = outcome.updatedExisting;
    if (outcome.upsertedId !== undefined) doc.u = outcome.upsertedId;
  }
  return doc;
};

const outcomeOf = (doc: Doc): StatementOutcome => {
  const n = toNumber(doc.n);
  switch (doc.k) {
    case 'update':
      return 'u' in doc
        ? { kind: 'update', n, nModified: toNumber(doc.m), upserted: doc.u, hasUpserted: true }
        : { kind: 'update', n, nModified: toNumber(doc.m) };
    case 'delete':
      return { kind: 'delete', n };
    case 'findAndModify': {
      const outcome: StatementOutcome = {
        kind: 'findAndModify',
        value: doc.v instanceof Binary ? doc.v.buffer.slice(0, doc.v.position) : null,
        n,
      };
      if (typeof doc.e === 'boolean') outcome.updatedExisting = doc.e;
      if ('u' in doc) outcome.upsertedId = doc.u;
      return outcome;
    }
    default:
      return { kind: 'insert' };
  }
};

const keyOf = (lsid: string): Uint8Array => textKey(KeySpace.retry, lsid);

export const recordOf = (view: View, lsid: string): RetryRecord | undefined => {
  const bytes = view.get(keyOf(lsid));
  return bytes && decodeRecord(bytes);
};

/**
 * Returns the record for a retryable write: the stored one with the same number, or a new one. Throws
 * TransactionTooOld when the session has moved on to a higher number.
 */
export const openRecord = (view: View, lsid: string, txnNumber: bigint): RetryRecord => {
  const bytes = view.get(keyOf(lsid));
  if (!bytes) return new RetryRecord(txnNumber);
  const stored = numberOf(bytes);
  if (stored > txnNumber) {
    throw new ServerError(
      'TransactionTooOld',
      `Retryable write with txnNumber ${txnNumber} is prohibited on session because a newer retryable write with txnNumber ${stored} has already started on this session.`,
    );
  }
  return stored === txnNumber ? decodeRecord(bytes) : new RetryRecord(txnNumber);
};

export const saveRecord = (sink: Sink, lsid: string, record: RetryRecord, now: number): void =>
  sink.put(keyOf(lsid), encodeRecord(record, now));

export const rememberCommit = (sink: Sink, lsid: string, txnNumber: bigint, now: number): void => {
  const record = new RetryRecord(txnNumber);
  record.committed = true;
  saveRecord(sink, lsid, record, now);
};

/**
 * Keys of up to `limit` records after `after` that were not used since `before`, with the key to continue
 * from.
 */
export const staleRecords = (
  view: View,
  before: number,
  after: Uint8Array | undefined,
  limit: number,
): { keys: Uint8Array[]; next: Uint8Array | undefined } => {
  const space = new Uint8Array([KeySpace.retry]);
  const keys: Uint8Array[] = [];
  let seen = 0;
  for (const { key, value } of view.entries({ low: after ?? space, high: prefixEnd(space) })) {
    if (seen++ >= limit) return { keys, next: key };
    if (usedAtOf(value) < before) keys.push(key);
  }
  return { keys, next: undefined };
};

export const isStale = (bytes: Uint8Array | undefined, before: number): boolean =>
  bytes !== undefined && usedAtOf(bytes) < before;
