import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import type { Model } from 'mongoose';
import { duplicateKeyFields } from '../database/index.js';
import { SCHEDULE_MODEL, type ScheduleRecord } from './archive.schema.js';

@Injectable()
export class ScheduleRepository {
  constructor(@InjectModel(SCHEDULE_MODEL) private readonly schedules: Model<ScheduleRecord>) {}

  find(name: string): Promise<ScheduleRecord | null> {
    return this.schedules.findById(name).lean<ScheduleRecord>().exec();
  }

  /** Stores the schedule if it does not exist. */
  async create(name: string, startedFor: Date): Promise<void> {
    try {
      await this.schedules
        .updateOne({ _id: name }, { $setOnInsert: { startedFor } }, { upsert: true })
        .exec();
    } catch (error) {
      // Another process was first.
      if (!duplicateKeyFields(error)) throw error;
    }
  }

  /** Replaces `startedFor`. Returns false if another process has done so. */
  async advance(name: string, from: Date, startedFor: Date): Promise<boolean> {
    const { modifiedCount } = await this.schedules
      .updateOne({ _id: name, startedFor: from }, { $set: { startedFor } })
      .exec();
    return modifiedCount === 1;
  }

  /**
   * Takes or renews the claim on a schedule for `leaseMs`. Returns false if another process has it. The
   * database's clock decides, because processes on several hosts compare it.
   */
  async take(name: string, holder: string, leaseMs: number): Promise<boolean> {
    const heldUntil = { $ifNull: ['$heldUntil', new Date(0)] };
    const isFree = { $or: [{ $eq: ['$holder', holder] }, { $lt: [heldUntil, '$$NOW'] }] };
    const { modifiedCount } = await this.schedules
      .updateOne(
        { _id: name, $expr: isFree },
        [{ $set: { holder, heldUntil: { $add: ['$$NOW', leaseMs] } } }],
        { updatePipeline: true },
      )
      .exec();
    return modifiedCount === 1;
  }

  async release(name: string, holder: string): Promise<void> {
    await this.schedules.updateOne({ _id: name, holder }, { $unset: { holder: 1, heldUntil: 1 } }).exec();
  }
}
