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
  /** Where `pid` means one process: the boot of the machine and the namespace of process ids. */
  pidSpace: string;
  role: ProcessRole;
  /** By the clock of `host`. */
  startedAt: Date;
  /** By the clock of the database, as processes on several hosts compare it. */
  beatAt: Date;
  /** Ids of the server sessions on which it runs transactions. */
  sessions: mongo.Binary[];
}

const text = { type: String, required: true } as const;
const date = { type: Date, required: true } as const;

/** Not of a tenant, and to stay unsharded: it has one small row for each process. */
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
// Serves: the processes that have stopped beating.
processSchema.index({ beatAt: 1 });
// Serves: the earlier processes of this host.
processSchema.index({ host: 1 });
