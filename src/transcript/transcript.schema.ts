import { type mongo, Schema, type Types } from 'mongoose';

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
  /** failed: it could not be embedded; `error` says why. */
  status: 'stored' | 'failed';
  error?: string;
  /** Which embedder made the vector. Both are absent where there is none. */
  model?: string;
  vector?: mongo.Binary;
  /** The tenant's change that wrote this row last. */
  changeSeq: number;
  createdAt: Date;
  storedAt: Date;
}

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
    status: { ...text, enum: ['stored', 'failed'] },
    error: { type: String },
    model: { type: String },
    vector: { type: Buffer },
    changeSeq: number,
    createdAt: date,
    storedAt: date,
  },
  { ...options, collection: 'transcripts' },
);
// Lists, newest first, of all and of one participant.
transcriptSchema.index({ tenantId: 1, createdAt: -1, _id: -1 });
transcriptSchema.index({ tenantId: 1, participantId: 1, createdAt: -1, _id: -1 });
// What changed since a matrix was brought up to date. Without the model: a row that went over to another model must be told of to the old.
transcriptSchema.index({ tenantId: 1, changeSeq: 1 });
// All vectors of one model, to build a matrix from.
transcriptSchema.index({ tenantId: 1, model: 1, _id: 1 }, whereVector);
// The dead letters, newest first.
transcriptSchema.index({ tenantId: 1, status: 1, createdAt: -1, _id: -1 });

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
// Whether a transcript that comes out of a journal was deleted meanwhile.
tombstoneSchema.index({ tenantId: 1, transcriptId: 1 }, { unique: true });
