import { type mongo, Schema, type Types } from 'mongoose';

export const TRANSCRIPTS = 'transcripts';
export const TRANSCRIPT_MODEL = 'Transcript';
export const COUNTER_MODEL = 'TranscriptCounter';
export const TOMBSTONE_MODEL = 'TranscriptTombstone';

export interface TranscriptRecord {
  _id: Types.ObjectId;
  tenantId: string;
  participantId: string;
  channel: string;
  transcript: string;
  summary?: string;
  metadata: Record<string, unknown>;
  /** The tenant's own identifier of the transcript; unique within the tenant. */
  externalId?: string;
  /** queued: accepted but not yet embedded. failed: it could not be embedded; the reason is in `error`. */
  status: 'queued' | 'stored' | 'failed';
  error?: string;
  /** The embedder that created the vector. Both fields are absent if there is no vector. */
  model?: string;
  vector?: mongo.Binary;
  /** The tenant's change that stored this row or last changed its vector. Absent before the first. */
  changeSeq?: number;
  createdAt: Date;
  /** When the status became `stored` or `failed`. */
  storedAt?: Date;
  /** Since when it has been queued. This field and those below exist only while the status is `queued`. */
  queuedAt?: Date;
  /** When the worker's claim expires; `UNCLAIMED` if there is none. */
  claimedUntil?: Date;
  /** Identifies the batch that claimed it; unique per batch. */
  claim?: string;
  /** How many times it was claimed. */
  attempts?: number;
  /** True if the id was chosen before the transcript was accepted, so that it may be accepted again. */
  isNamed?: boolean;
}

/** A stored transcript or a dead letter. */
export type FinishedTranscript = TranscriptRecord & { status: 'stored' | 'failed'; storedAt: Date };

export const isFinished = (record: TranscriptRecord): record is FinishedTranscript =>
  record.status !== 'queued';

/** A `claimedUntil` in the past. Unlike an absent field, it can be read from an index. */
export const UNCLAIMED = new Date(0);

/** An accepted transcript as it is inserted. */
export type QueuedTranscript = TranscriptRecord &
  Required<Pick<TranscriptRecord, 'queuedAt' | 'claimedUntil' | 'attempts'>> & { status: 'queued' };

/** An accepted transcript. Fields that are `undefined` are omitted. */
export interface AcceptedTranscript {
  tenantId: string;
  participantId: string;
  channel: string;
  transcript: string;
  summary?: string | undefined;
  metadata: Record<string, unknown>;
  externalId?: string | undefined;
}

export const queuedTranscript = (
  _id: Types.ObjectId,
  { summary, externalId, ...accepted }: AcceptedTranscript,
  at: { createdAt: Date; queuedAt: Date },
  { isNamed }: { isNamed: boolean },
): QueuedTranscript => ({
  _id,
  tenantId: accepted.tenantId,
  participantId: accepted.participantId,
  channel: accepted.channel,
  transcript: accepted.transcript,
  ...(summary !== undefined && { summary }),
  metadata: accepted.metadata,
  ...(externalId !== undefined && { externalId }),
  status: 'queued',
  ...at,
  claimedUntil: UNCLAIMED,
  attempts: 0,
  ...(isNamed && { isNamed }),
});

/** Per-tenant counters. `seq` is the number of the tenant's latest change; see `VectorSource`. */
export interface CounterRecord {
  /** Another one if the tenant was deleted and created again. */
  _id?: Types.ObjectId;
  tenantId: string;
  seq: number;
  /** Tombstones up to this change have been deleted. */
  forgottenSeq: number;
  /** Number of rows with the status `stored` and `failed`, respectively. */
  stored?: number;
  dead?: number;
  /** Number of times a transcript finally failed, including replays. */
  failures?: number;
  /** Number of transactions that stored transcripts, and number of transcripts in them. */
  batches?: number;
  batched?: number;
}

export interface TombstoneRecord {
  tenantId: string;
  transcriptId: Types.ObjectId;
  changeSeq: number;
  at: Date;
}

const options = { versionKey: false, autoIndex: false, minimize: false, id: false } as const;
const text = { type: String, required: true } as const;
const date = { type: Date, required: true } as const;
const number = { type: Number, required: true } as const;
const whereVector = { partialFilterExpression: { model: { $exists: true } } } as const;

export const transcriptSchema = new Schema<TranscriptRecord>(
  {
    tenantId: text,
    participantId: text,
    channel: text,
    transcript: text,
    summary: { type: String },
    metadata: { type: Schema.Types.Mixed, required: true },
    externalId: { type: String },
    status: { ...text, enum: ['queued', 'stored', 'failed'] },
    error: { type: String },
    model: { type: String },
    vector: { type: Buffer },
    changeSeq: { type: Number },
    createdAt: date,
    storedAt: { type: Date },
    queuedAt: { type: Date },
    claimedUntil: { type: Date },
    claim: { type: String },
    attempts: { type: Number },
    isNamed: { type: Boolean },
  },
  { ...options, collection: TRANSCRIPTS },
);
// Lists, newest first, of all and of one participant.
transcriptSchema.index({ tenantId: 1, createdAt: -1, _id: -1 });
transcriptSchema.index({ tenantId: 1, participantId: 1, createdAt: -1, _id: -1 });
// Changes since a matrix was last updated. Without the model, because a matrix of the old model must see a
// row whose model changed.
transcriptSchema.index({ tenantId: 1, changeSeq: 1 });
// All vectors of one model, to build a matrix.
transcriptSchema.index({ tenantId: 1, model: 1, _id: 1 }, whereVector);
// Finds the transcript that was sent before with the same externalId. Unique: two requests that send one cannot
// both store it.
transcriptSchema.index(
  { tenantId: 1, externalId: 1 },
  { unique: true, partialFilterExpression: { externalId: { $exists: true } } },
);
// Dead letters, newest first; the number of a tenant's queued transcripts.
transcriptSchema.index({ tenantId: 1, status: 1, createdAt: -1, _id: -1 });
// The next batch, oldest first, and the number and age of queued transcripts, all answered from the index
// alone. Workers serve all tenants, so this index does not begin with the tenant. On a sharded collection
// these few queries go to every shard. Stored rows are not in the index.
transcriptSchema.index(
  { queuedAt: 1, claimedUntil: 1, tenantId: 1, _id: 1 },
  { partialFilterExpression: { queuedAt: { $exists: true } } },
);

export const counterSchema = new Schema<CounterRecord>(
  {
    tenantId: text,
    seq: number,
    forgottenSeq: number,
    stored: Number,
    dead: Number,
    failures: Number,
    batches: Number,
    batched: Number,
  },
  { ...options, collection: 'transcript_counters' },
);
// The counter of one tenant.
counterSchema.index({ tenantId: 1 }, { unique: true });

export const tombstoneSchema = new Schema<TombstoneRecord>(
  {
    tenantId: text,
    transcriptId: { type: Schema.Types.ObjectId, required: true },
    changeSeq: number,
    at: date,
  },
  { ...options, collection: 'transcript_tombstones' },
);
// Deletions since a matrix was last updated.
tombstoneSchema.index({ tenantId: 1, changeSeq: 1 });
// Tombstones that the sweep may delete, oldest first.
tombstoneSchema.index({ tenantId: 1, at: 1 });
// Checks whether a transcript whose id was chosen before was deleted.
tombstoneSchema.index({ tenantId: 1, transcriptId: 1 }, { unique: true });
