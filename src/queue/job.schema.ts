import { Schema, type Types } from 'mongoose';

export const JOB_MODEL = 'Job';
export const JOB_COLLECTION = 'jobs';

export const jobStates = ['waiting', 'delayed', 'active', 'completed', 'failed'] as const;
export type JobState = (typeof jobStates)[number];

export interface JobFailure {
  at: Date;
  attempt: number;
  message: string;
}

export interface JobRecord {
  _id: Types.ObjectId;
  tenantId: string;
  queue: string;
  payload: unknown;
  state: JobState;
  /** 0 is run first. */
  priority: number;
  /** When the state is next looked at: waiting, since when it may run; delayed, until when; active, the end of its claim; finished, since when. */
  dueAt: Date;
  /** Tries that began. */
  attempts: number;
  /** 0 to 100. */
  progress: number;
  /** What the processor answered, as JSON. */
  result?: unknown;
  /** The last ones, newest last. */
  failures: JobFailure[];
  /** While it is unfinished, no other of the tenant's jobs in the queue has the same. */
  dedupeKey?: string;
  /** Of the worker that runs it. */
  claim?: string;
  /** When the last try began. */
  startedAt?: Date;
  /** Until it is handed to the dispatcher in Redis, where there is one. */
  isUnhanded?: boolean;
  createdAt: Date;
  updatedAt: Date;
}

const text = { type: String, required: true } as const;
const date = { type: Date, required: true } as const;
const number = { type: Number, required: true } as const;

const failureSchema = new Schema<JobFailure>(
  { at: date, attempt: number, message: { type: String, default: '' } },
  { _id: false, id: false, versionKey: false },
);

export const jobSchema = new Schema<JobRecord>(
  {
    tenantId: text,
    queue: text,
    payload: { type: Schema.Types.Mixed, required: true },
    state: { ...text, enum: jobStates },
    priority: number,
    dueAt: date,
    attempts: number,
    progress: number,
    result: { type: Schema.Types.Mixed },
    failures: [failureSchema],
    dedupeKey: { type: String },
    claim: { type: String },
    startedAt: { type: Date },
    isUnhanded: { type: Boolean },
    createdAt: date,
    updatedAt: date,
  },
  { collection: JOB_COLLECTION, versionKey: false, autoIndex: false, minimize: false, id: false },
);
// Refuses a second unfinished job about the same thing; finds the first one.
jobSchema.index(
  { tenantId: 1, queue: 1, dedupeKey: 1 },
  { unique: true, partialFilterExpression: { dedupeKey: { $exists: true } } },
);
// The next job of a queue, by priority and time. Workers serve all tenants alike, so this index and the next do not begin with the tenant:
// where the collection is sharded, these few queries ask every shard.
jobSchema.index({ queue: 1, state: 1, priority: 1, dueAt: 1, _id: 1 });
// Delayed jobs that are due, claims that ended without an outcome, how long the oldest waits, finished jobs beyond those that are kept, and
// the lists of one state.
jobSchema.index({ queue: 1, state: 1, dueAt: 1, _id: 1 });
// Jobs that were stored and not handed to Redis: it was away, or the process died in between.
jobSchema.index(
  { queue: 1, isUnhanded: 1, _id: 1 },
  { partialFilterExpression: { isUnhanded: { $exists: true } } },
);
