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
  /** The tenant's own name of it; `_id` is made from it. */
  externalId?: string;
  /** queued: accepted, and not embedded yet. failed: it could not be embedded; `error` says why. */
  status: 'queued' | 'stored' | 'failed';
  error?: string;
  /** Which embedder made the vector. Both are absent where there is none. */
  model?: string;
  vector?: mongo.Binary;
  /** The tenant's change that stored this row, or last changed its vector; absent before the first. */
  changeSeq?: number;
  createdAt: Date;
  /** When it got the status `stored` or `failed`. */
  storedAt?: Date;
  /** Since when it waits. This field and those below are there while the status is `queued`, and only then. */
  queuedAt?: Date;
  /** A worker has it until then; `UNCLAIMED` when none does. */
  claimedUntil?: Date;
  /** Of the batch that has it; another one for each batch. */
  claim?: string;
  /** How often it was claimed. */
  attempts?: number;
  /** Its id is known to the client before it is accepted, so that it may be sent again. */
  isNamed?: boolean;
}

/** A transcript that is stored, or a dead letter. */
export type FinishedTranscript = TranscriptRecord & { status: 'stored' | 'failed'; storedAt: Date };

export const isFinished = (record: TranscriptRecord): record is FinishedTranscript =>
  record.status !== 'queued';

/** A `claimedUntil` that is over: unlike an absent field it can be read from an index. */
export const UNCLAIMED = new Date(0);

/** A transcript that was accepted, as it is inserted. */
export type QueuedTranscript = TranscriptRecord &
  Required<Pick<TranscriptRecord, 'queuedAt' | 'claimedUntil' | 'attempts'>> & { status: 'queued' };

/** What is accepted; `undefined` fields are left out. */
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

/** The number of a tenant's newest change; see `VectorSource`. */
export interface CounterRecord {
  tenantId: string;
  seq: number;
  /** Tombstones up to this change are gone. */
  forgottenSeq: number;
  /** Rows with the status `stored` and `failed`. */
  stored?: number;
  dead?: number;
  /** Times that a transcript was given up, replays included. */
  failures?: number;
  /** Transactions that stored transcripts, and how many those were. */
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
// What changed since a matrix was brought up to date. Without the model: a matrix of the old model must see a row that got another one.
transcriptSchema.index({ tenantId: 1, changeSeq: 1 });
// All vectors of one model, to build a matrix from.
transcriptSchema.index({ tenantId: 1, model: 1, _id: 1 }, whereVector);
// The dead letters, newest first; how many of a tenant are queued.
transcriptSchema.index({ tenantId: 1, status: 1, createdAt: -1, _id: -1 });
// What the next batch takes, oldest first, how many wait and since when: each read from the index alone. Workers serve all tenants alike, so this
// index does not begin with the tenant: where the collection is sharded, these few queries ask every shard. Stored rows are not in it.
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
// What was deleted since a matrix was brought up to date.
tombstoneSchema.index({ tenantId: 1, changeSeq: 1 });
// What the sweep may forget, oldest first.
tombstoneSchema.index({ tenantId: 1, at: 1 });
// Whether a transcript that is sent again was deleted.
tombstoneSchema.index({ tenantId: 1, transcriptId: 1 }, { unique: true });
