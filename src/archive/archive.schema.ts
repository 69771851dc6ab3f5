import { Schema, type Types } from 'mongoose';

export const ARCHIVE_MODEL = 'Archive';
export const HOLD_MODEL = 'ArchiveHold';
export const RUN_MODEL = 'ArchiveRun';
export const SCHEDULE_MODEL = 'Schedule';

/**
 * - writing: its file is being written. Nothing has been deleted from the database; an interrupted one is
 *   discarded.
 * - releasing: its file is complete and verified, and its rows are being deleted from the database. An
 *   interrupted one is continued.
 * - cleaning: its file has been replaced by one without some of its rows, and the old one is being deleted.
 * - stored: its rows are in its file alone.
 */
export const archiveStates = ['writing', 'releasing', 'cleaning', 'stored'] as const;
export type ArchiveState = (typeof archiveStates)[number];

/** The states in which an interrupted run leaves archives. */
export const unfinishedStates: ArchiveState[] = ['writing', 'releasing', 'cleaning'];

/** Stands for all participants of a tenant. */
export const ANYONE = '*';

/** The contents of an archive file. */
export interface ArchiveContents {
  /** Folder of the file and its manifest. Another one each time that rows are removed from it. */
  folder: string;
  /** Earliest and latest time at which its data was last active. */
  from: Date;
  to: Date;
  /** Number of conversations, transcripts or jobs. */
  count: number;
  /** Number of documents, by collection. */
  rows: Record<string, number>;
  /** Size of the compressed file. */
  bytes: number;
  /** Size of the documents in the database. */
  storedBytes: number;
  /** Of the compressed file. */
  sha256: string;
  /** SHA-256 of the BSON bytes of all documents, in order. */
  checksum: string;
}

export interface ArchiveRecord {
  _id: Types.ObjectId;
  tenantId: string;
  kind: string;
  state: ArchiveState;
  contents?: ArchiveContents;
  /** Hashes of the participants whose data it contains; `ANYONE` if they are not known. */
  participants: string[];
  /** Number of roots, in the order of the file, that were deleted from the database or have to stay in it. */
  released: number;
  /** Those that have to stay, because they changed after they were read. */
  changed: Types.ObjectId[];
  createdAt: Date;
  restoredAt?: Date;
  /** Number of steps of a restore that is in progress or was interrupted. Each step changes it. */
  restoreSteps?: number;
}

/** Restored data that is not to be archived again until `until`. */
export interface HoldRecord {
  tenantId: string;
  kind: string;
  rootId: Types.ObjectId;
  until: Date;
}

/** What a run did with one kind of data of one tenant. */
export interface RunResult {
  tenantId: string;
  kind: string;
  /** Conversations, transcripts or jobs that were archived; in a dry run, those that would have been. */
  archived: number;
  /** Those that were due but stay, because they changed during the run. */
  changed: number;
  /** Those that stay in the database, for whatever reason. */
  kept: number;
  /** Documents that were archived. */
  rows: number;
  /** Size of these documents in the database: the space that became free. */
  freedBytes: number;
  /** Size of the archives. */
  archiveBytes: number;
  archives: number;
  durationMs: number;
}

/** What to archive. */
export interface RunRequest {
  /** Only of this tenant. */
  tenantId?: string;
  /** Only this kind of data. */
  kind?: string;
  /** Replaces the retention policies. */
  olderThanDays?: number;
  /** Only counts. */
  dryRun: boolean;
}

export type RunTotals = Omit<RunResult, 'tenantId' | 'kind'>;

/** all: everything that is due. part: of one tenant, of one kind, or by other periods. dryRun: only counted. */
export type RunScope = 'all' | 'part' | 'dryRun';

export interface RunRecord {
  _id: Types.ObjectId;
  scope: RunScope;
  state: 'running' | 'completed' | 'failed';
  startedAt: Date;
  endedAt?: Date;
  request: RunRequest;
  /** Of tenants and kinds with something to archive, up to a maximum number. */
  results: RunResult[];
  totals: RunTotals;
  error?: string;
  /** Whether, after it failed, a run with the same request or one of everything has completed. */
  isResolved?: boolean;
  /** The tenants that the report names. */
  named: string[];
}

/** Something that happens at certain times, in one process. */
export interface ScheduleRecord {
  _id: string;
  /** The latest of these times for which it was started. */
  startedFor: Date;
  /** Identifies the process that is working on it. */
  holder?: string;
  /** When that process's claim expires, unless renewed. */
  heldUntil?: Date;
}

/** How long the report of a run is kept. */
export const RUNS_KEPT_DAYS = 730;

const options = { versionKey: false, autoIndex: false, minimize: false, id: false } as const;
const text = { type: String, required: true } as const;
const date = { type: Date, required: true } as const;
const number = { type: Number, required: true } as const;
const id = { type: Schema.Types.ObjectId, required: true } as const;

const contentsSchema = new Schema<ArchiveContents>(
  {
    folder: text,
    from: date,
    to: date,
    count: number,
    rows: { type: Schema.Types.Mixed, required: true },
    bytes: number,
    storedBytes: number,
    sha256: text,
    checksum: text,
  },
  { _id: false, id: false, versionKey: false },
);

export const archiveSchema = new Schema<ArchiveRecord>(
  {
    tenantId: text,
    kind: text,
    state: { ...text, enum: archiveStates },
    contents: { type: contentsSchema },
    participants: [String],
    released: number,
    changed: [Schema.Types.ObjectId],
    createdAt: date,
    restoredAt: { type: Date },
    restoreSteps: { type: Number },
  },
  { ...options, collection: 'archives' },
);
// Archives of a tenant, newest first: GET /v1/archives?tenantId, restoring a range.
archiveSchema.index({ tenantId: 1, createdAt: -1, _id: -1 });
// The archives with data of a participant that is erased or exported.
archiveSchema.index({ tenantId: 1, participants: 1 });
// All archives, newest first: GET /v1/archives.
archiveSchema.index({ createdAt: -1, _id: -1 });
// GET /v1/archives?kind.
archiveSchema.index({ kind: 1, createdAt: -1, _id: -1 });
// Archives of an interrupted run. Contains only those.
archiveSchema.index(
  { state: 1, tenantId: 1 },
  { partialFilterExpression: { state: { $in: unfinishedStates } } },
);

export const holdSchema = new Schema<HoldRecord>(
  { tenantId: text, kind: text, rootId: id, until: date },
  { ...options, collection: 'archive_holds' },
);
// Whether restored data has to stay. Unique: it is restored once.
holdSchema.index({ tenantId: 1, kind: 1, rootId: 1 }, { unique: true });
// Deletes those that have ended.
holdSchema.index({ until: 1 }, { expireAfterSeconds: 0 });

export const runSchema = new Schema<RunRecord>(
  {
    scope: { ...text, enum: ['all', 'part', 'dryRun'] },
    state: { ...text, enum: ['running', 'completed', 'failed'] },
    startedAt: date,
    endedAt: { type: Date },
    request: { type: Schema.Types.Mixed, required: true },
    results: { type: Schema.Types.Mixed, required: true },
    totals: { type: Schema.Types.Mixed, required: true },
    error: { type: String },
    isResolved: { type: Boolean },
    named: [String],
  },
  { ...options, collection: 'archive_runs' },
);
// All runs, newest first: GET /v1/archives/runs.
runSchema.index({ startedAt: -1, _id: -1 });
// The latest of those in one state, for alerts.
runSchema.index({ scope: 1, state: 1, startedAt: -1, _id: -1 });
// The reports that name a tenant that is deleted.
runSchema.index({ named: 1 });
// Deletes old reports.
runSchema.index({ startedAt: 1 }, { expireAfterSeconds: RUNS_KEPT_DAYS * 86_400 });

export const scheduleSchema = new Schema<ScheduleRecord>(
  { _id: text, startedFor: date, holder: { type: String }, heldUntil: { type: Date } },
  { ...options, collection: 'schedules' },
);
