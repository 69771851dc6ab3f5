import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import type { Model, mongo } from 'mongoose';
import { PROCESS_MODEL, type ProcessRecord } from './process.schema.js';

/** What a process reports about itself; the database adds the time. */
export type OwnProcess = Omit<ProcessRecord, 'beatAt' | 'sessions'>;

const MAX_LOOKED_AT = 100;

/**
 * Stores the rows of running processes. Uses the driver's collection rather than the Mongoose model: Mongoose
 * would make its calls part of a transaction that is running when `ProcessRegistry.remember` is called.
 */
@Injectable()
export class ProcessRepository {
  private readonly database: mongo.Db;
  private readonly rows: mongo.Collection<ProcessRecord>;

  constructor(@InjectModel(PROCESS_MODEL) processes: Model<ProcessRecord>) {
    this.database = processes.db.getClient().db(processes.db.name);
    this.rows = this.database.collection(processes.collection.collectionName);
  }

  /**
   * Records that the process is alive, creating its row with its sessions if there is none. Returns the
   * database's time.
   */
  async beat({ _id, ...process }: OwnProcess, sessions: readonly mongo.Binary[]): Promise<Date> {
    const row = await this.rows.findOneAndUpdate(
      { _id },
      { $currentDate: { beatAt: true }, $setOnInsert: { ...process, sessions: [...sessions] } },
      { upsert: true, returnDocument: 'after', projection: { beatAt: 1 } },
    );
    if (!row) throw new Error('the row of this process was neither found nor created');
    return row.beatAt;
  }

  /** Returns false when the process has no row. */
  async addSession(_id: string, session: mongo.Binary): Promise<boolean> {
    const { matchedCount } = await this.rows.updateOne({ _id }, { $addToSet: { sessions: session } });
    return matchedCount === 1;
  }

  async removeSessions(_id: string, sessions: readonly mongo.Binary[]): Promise<void> {
    await this.rows.updateOne({ _id }, { $pullAll: { sessions: [...sessions] } });
  }

  silentSince(before: Date): Promise<ProcessRecord[]> {
    return this.rows.find({ beatAt: { $lt: before } }).toArray();
  }

  onHost(host: string): Promise<ProcessRecord[]> {
    return this.rows.find({ host }).toArray();
  }

  /**
   * Whether another process may be serving requests. Reads MAX_LOOKED_AT rows at most, and returns true when
   * there may be more.
   */
  async hasOtherServers(_id: string): Promise<boolean> {
    const rows = await this.rows
      .find({}, { projection: { role: 1 } })
      .sort({ _id: 1 })
      .limit(MAX_LOOKED_AT)
      .toArray();
    return rows.length === MAX_LOOKED_AT || rows.some((row) => row._id !== _id && row.role === 'api');
  }

  /**
   * Aborts the open transactions of these server sessions. On a sharded cluster, mongos forwards the command
   * to every shard. No privilege is needed for sessions of the same user.
   */
  async killSessions(ids: readonly mongo.Binary[]): Promise<void> {
    await this.database.client.db('admin').command({ killSessions: ids.map((id) => ({ id })) });
  }

  /** Deletes the row. With `beatAt`, only if the process has sent no heartbeat since then. */
  async remove(_id: string, beatAt?: Date): Promise<void> {
    await this.rows.deleteOne({ _id, ...(beatAt && { beatAt }) });
  }
}
