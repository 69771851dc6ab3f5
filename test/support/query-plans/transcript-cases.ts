import { mongo, Types } from 'mongoose';
import type { TranscriptRepository } from '../../../src/transcript/transcript.repository.js';
import { queuedTranscript, type TranscriptRecord } from '../../../src/transcript/transcript.schema.js';
import { at, type Cases, id, ids, lists, type MethodCases, once, pages, tenantId } from './cases.js';

const hex = id.toHexString();
const vector = new mongo.Binary(Buffer.alloc(8));

const record: Omit<TranscriptRecord, 'tenantId'> = {
  _id: id,
  participantId: 'ana',
  channel: 'web',
  transcript: 'Hello',
  metadata: {},
  status: 'failed',
  error: 'no',
  model: 'm',
  vector,
  changeSeq: 1,
  createdAt: at,
  storedAt: at,
};

const queued = queuedTranscript(
  new Types.ObjectId(),
  { tenantId, participantId: 'ana', channel: 'web', transcript: 'Hello', metadata: {} },
  { createdAt: at, queuedAt: at },
  { isNamed: true },
);

/** From the start, and after a position. */
const after = (
  call: (transcripts: TranscriptRepository, from: string | undefined) => Promise<unknown>,
): MethodCases<TranscriptRepository> => ({
  'from the beginning': (transcripts) => call(transcripts, undefined),
  'from a place': (transcripts) => call(transcripts, hex),
});

export const transcriptCases: Cases<TranscriptRepository> = {
  nextChange: once((transcripts) => transcripts.nextChange(tenantId, { stored: 1 })),
  count: once((transcripts) => transcripts.count(tenantId, { failures: 1 })),
  dropFirstCounter: once((transcripts) => transcripts.dropFirstCounter('none')),
  counter: once((transcripts) => transcripts.counter(tenantId)),
  insert: once((transcripts) => transcripts.insert(tenantId, [record])),
  deleted: once((transcripts) => transcripts.deleted(tenantId, ids)),
  insertMissing: once((transcripts) => transcripts.insertMissing([queued])),
  ofParticipant: pages((transcripts, cursor) => transcripts.ofParticipant(tenantId, 'ana', 10, cursor)),
  countOfParticipant: once((transcripts) => transcripts.countOfParticipant(tenantId, 'ana')),
  participantIds: once((transcripts) => transcripts.participantIds(tenantId, '', 10)),
  countQueued: once((transcripts) => transcripts.countQueued(tenantId)),
  waiting: once((transcripts) => transcripts.waiting(at)),
  claimable: {
    ...once((transcripts) => transcripts.claimable(at, 10)),
    'of other tenants': (transcripts) => transcripts.claimable(at, 10, ['noisy']),
  },
  claim: once((transcripts) => transcripts.claim(ids, 'c', { now: at, until: at })),
  claimed: once((transcripts) => transcripts.claimed(ids, 'c', 100)),
  prolong: once((transcripts) => transcripts.prolong(ids, 'c', at)),
  release: once((transcripts) => transcripts.release(ids, 'c', { wasTried: false })),
  finish: once((transcripts) =>
    transcripts.finish(tenantId, 'c', [{ _id: id, status: 'stored', model: 'm', vector }], {
      changeSeq: 1,
      storedAt: at,
    }),
  ),
  ofConversation: once((transcripts) => transcripts.ofConversation(tenantId, 'ana', hex)),
  writtenBy: once((transcripts) => transcripts.writtenBy(tenantId, 1)),
  discard: once((transcripts) => transcripts.discard(tenantId, 'c', ids)),
  requeue: once((transcripts) => transcripts.requeue(tenantId, ids, at)),
  find: once((transcripts) => transcripts.find(tenantId, hex)),
  exists: once((transcripts) => transcripts.exists(tenantId, id)),
  findByExternalId: once((transcripts) => transcripts.findByExternalId(tenantId, 'helpdesk-4711')),
  findMany: once((transcripts) =>
    transcripts.findMany(
      tenantId,
      ids.map((one) => one.toHexString()),
    ),
  ),
  deadLetters: pages((transcripts, cursor) => transcripts.deadLetters(tenantId, 10, cursor)),
  list: lists({ participantId: 'ana', status: 'failed' as const }, (transcripts, filter, cursor) =>
    transcripts.list(tenantId, filter, 10, cursor),
  ),
  vectors: after((transcripts, from) => transcripts.vectors(tenantId, 'm', from, 10)),
  changedBetween: once((transcripts) => transcripts.changedBetween(tenantId, 0, 9)),
  tenants: after((transcripts, from) => transcripts.tenants(from, 10)),
  tenantsAfter: once((transcripts) => transcripts.tenantsAfter('a', 10)),
  nextModel: once((transcripts) => transcripts.nextModel(tenantId, '')),
  countOfModel: once((transcripts) => transcripts.countOfModel(tenantId, 'm')),
  ofModel: after((transcripts, from) => transcripts.ofModel(tenantId, 'm', from, 10)),
  changeModel: once((transcripts) =>
    transcripts.changeModel(tenantId, 'm', 'n', [{ _id: new Types.ObjectId(), vector }], 2),
  ),
  delete: once((transcripts) => transcripts.delete(tenantId, id, 3, at)),
  deletedBetween: once((transcripts) => transcripts.deletedBetween(tenantId, 0, 9)),
  oldTombstones: once((transcripts) => transcripts.oldTombstones(tenantId, at, 10)),
  forget: once((transcripts) =>
    transcripts.forget(tenantId, [{ tenantId, transcriptId: id, changeSeq: 3, at }], at),
  ),
};
