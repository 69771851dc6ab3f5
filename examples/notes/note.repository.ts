import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import { type Model, Types } from 'mongoose';
import { NOTE_MODEL, type NoteRecord } from './note.schema.js';

/** The queries of notes. Requests of tenants always filter by `tenantId`; maintenance covers all tenants. */
@Injectable()
export class NoteRepository {
  constructor(@InjectModel(NOTE_MODEL) private readonly notes: Model<NoteRecord>) {}

  async insert(note: NoteRecord): Promise<void> {
    await this.notes.create(note);
  }

  /** Up to `limit` notes of a participant with ids below `before`, the newest first. */
  list(tenantId: string, participantId: string, limit: number, before?: string): Promise<NoteRecord[]> {
    return this.notes
      .find({ tenantId, participantId, ...(before && { _id: { $lt: new Types.ObjectId(before) } }) })
      .sort({ _id: -1 })
      .limit(limit)
      .lean<NoteRecord[]>()
      .exec();
  }

  count(tenantId: string, participantId: string): Promise<number> {
    return this.notes.countDocuments({ tenantId, participantId }).exec();
  }

  async markReminded(tenantId: string, id: string, at: Date): Promise<void> {
    await this.notes
      .updateOne({ tenantId, _id: id }, { $set: { remindedAt: at }, $unset: { remindAt: 1 } })
      .exec();
  }

  /** @returns the number of reminders, of all tenants, that were due before `date` and have not run */
  countOverdue(date: Date): Promise<number> {
    return this.notes.countDocuments({ remindAt: { $exists: true, $lt: date } }).exec();
  }

  /** @returns the number of deleted notes, of all tenants */
  async deleteCreatedBefore(date: Date): Promise<number> {
    const { deletedCount } = await this.notes.deleteMany({ createdAt: { $lt: date } }).exec();
    return deletedCount;
  }
}
