import { type mongo, Schema } from 'mongoose';

export const PROCESS_MODEL = 'Process';

/** `tool`: a command such as `npm run db:indexes`. */
export type ProcessRole = 'api' | 'worker' | 'tool';

/** One running process of this deployment. */
export interface ProcessRecord {
  /** Random, so that a process never takes over the row of another one. */
  _id: string;
  host: string;
  pid: number;
  /** The scope in which `pid` is unique: the boot of the machine and the pid namespace. */
  pidSpace: string;
  role: ProcessRole;
  /** According to the clock of `host`. */
  startedAt: Date;
  /** According to the database's clock, because processes on several hosts compare it. */
  beatAt: Date;
  /** Ids of the server sessions on which it runs transactions. */
  sessions: mongo.Binary[];
}

const text = { type: String, required: true } as const;
const date = { type: Date, required: true } as const;

/** Does not belong to a tenant and must stay unsharded: it has one small row per process. */
export const processSchema = new Schema<ProcessRecord>(
  {
    _id: text,
    host: text,
    pid: { type: Number, required: true },
    pidSpace: text,
    role: text,
    startedAt: date,
    beatAt: date,
    sessions: [Buffer],
  },
  { collection: 'processes', versionKey: false, autoIndex: false, id: false },
);
// Serves: processes without a recent heartbeat.
processSchema.index({ beatAt: 1 });
// Serves: earlier processes of this host.
processSchema.index({ host: 1 });
