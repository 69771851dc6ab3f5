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
  /** Lower values run first; 0 is the highest priority. */
  priority: number;
  /**
   * Depends on the state. Waiting: the time since which the job may run. Delayed: when it becomes due.
   * Active: when its claim expires. Completed or failed: when it finished.
   */
  dueAt: Date;
  /** Number of attempts started. */
  attempts: number;
  /** 0 to 100. */
  progress: number;
  /** The processor's result, as JSON. */
  result?: unknown;
  /** The most recent failures, newest last. */
  failures: JobFailure[];
  /** Unique among the tenant's unfinished jobs in the queue. */
  dedupeKey?: string;
  /** Identifies the claim of the worker that runs the job. */
  claim?: string;
  /** When the last attempt started. */
  startedAt?: Date;
  /** True until the job is added to Redis, if Redis is used. */
  isUnhanded?: boolean;
  createdAt: Date;
  updatedAt: Date;
}

export const indexByTenant = {
  tenantId: 1,
  queue: 1,
  state: 1,
  priority: 1,
  dueAt: 1,
  _id: 1,
} as const;

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
// Prevents a second unfinished job with the same dedupeKey, and finds the first.
jobSchema.index(
  { tenantId: 1, queue: 1, dedupeKey: 1 },
  { unique: true, partialFilterExpression: { dedupeKey: { $exists: true } } },
);
// The next job of each tenant in a queue, by priority and time, and all jobs of a tenant that is deleted.
jobSchema.index(indexByTenant);
// Workers serve all tenants, so this index and the next do not begin with the tenant. On a sharded collection
// these few queries go to every shard. Delayed jobs that are due, expired claims, the age of the oldest waiting job, pruning of finished jobs, and
// lists by state.
jobSchema.index({ queue: 1, state: 1, dueAt: 1, _id: 1 });
// Stored jobs that were not added to Redis because it was unavailable or the process crashed.
jobSchema.index(
  { queue: 1, isUnhanded: 1, _id: 1 },
  { partialFilterExpression: { isUnhanded: { $exists: true } } },
);
