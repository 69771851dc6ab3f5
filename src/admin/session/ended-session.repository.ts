import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import type { Model } from 'mongoose';
import { ENDED_SESSION_MODEL, type EndedSessionRecord } from './ended-session.schema.js';

@Injectable()
export class EndedSessionRepository {
  constructor(@InjectModel(ENDED_SESSION_MODEL) private readonly ended: Model<EndedSessionRecord>) {}

  async add(id: string, expiresAt: Date): Promise<void> {
    await this.ended.updateOne({ _id: id }, { $set: { expiresAt } }, { upsert: true }).exec();
  }

  async has(id: string): Promise<boolean> {
    return (await this.ended.findOne({ _id: id }, { _id: 1 }).lean().exec()) !== null;
  }
}
