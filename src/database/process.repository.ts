import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import type { Model, mongo } from 'mongoose';
import { PROCESS_MODEL, type ProcessRecord } from './process.schema.js';

/** What a process says of itself; the database adds the time. */
export type OwnProcess = Omit<ProcessRecord, 'beatAt' | 'sessions'>;

const MAX_LOOKED_AT = 100;

/**
 * The rows of the running processes. It uses the driver's collection, as Mongoose would make its calls part of a transaction
 * that is running where `ProcessRegistry.remember` is called.
 */
@Injectable()
export class ProcessRepository {
  private readonly database: mongo.Db;
  private readonly rows: mongo.Collection<ProcessRecord>;

  constructor(@InjectModel(PROCESS_MODEL) processes: Model<ProcessRecord>) {
    this.database = processes.db.getClient().db(processes.db.name);
    this.rows = this.database.collection(processes.collection.collectionName);
  }

  /** Notes that the process is alive; makes its row, with its sessions, when there is none. Returns the time of the database. */
  async beat({ _id, ...process }: OwnProcess, sessions: readonly mongo.Binary[]): Promise<Date> {
    const row = await this.rows.findOneAndUpdate(
      { _id },
      { $currentDate: { beatAt: true }, $setOnInsert: { ...process, sessions: [...sessions] } },
      { upsert: true, returnDocument: 'after', projection: { beatAt: 1 } },
    );
    if (!row) throw new Error('the row of this process was neither found nor made');
    return row.beatAt;
  }

  /** False when the process has no row. */
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

  /** Whether there is another process that serves requests, as far as the first MAX_LOOKED_AT rows show; with more there is. */
  async hasOtherServers(_id: string): Promise<boolean> {
    const rows = await this.rows
      .find({}, { projection: { role: 1 } })
      .sort({ _id: 1 })
      .limit(MAX_LOOKED_AT)
      .toArray();
    return rows.length === MAX_LOOKED_AT || rows.some((row) => row._id !== _id && row.role === 'api');
  }

  /**
   * Aborts the open transactions of these server sessions. On a cluster, mongos passes it on to every shard. Of one's own user's
   * sessions it needs no privilege.
   */
  async killSessions(ids: readonly mongo.Binary[]): Promise<void> {
    await this.database.client.db('admin').command({ killSessions: ids.map((id) => ({ id })) });
  }

  /** With `beatAt`: unless the process has beaten since. */
  async remove(_id: string, beatAt?: Date): Promise<void> {
    await this.rows.deleteOne({ _id, ...(beatAt && { beatAt }) });
  }
}
