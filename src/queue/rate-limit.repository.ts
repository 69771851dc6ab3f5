import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import type { Model } from 'mongoose';
import { duplicateKeyFields } from '../database/index.js';
import type { RateLimit } from './queue-definition.js';
import { RATE_LIMIT_MODEL, type RateLimitRecord } from './rate-limit.schema.js';

/** Counts the jobs that begin, over all processes: at most `max` in each window of `perMs`, which begins with its first job. */
@Injectable()
export class RateLimitRepository {
  constructor(@InjectModel(RATE_LIMIT_MODEL) private readonly limits: Model<RateLimitRecord>) {}

  /** Takes one place; answers 0 when a job may begin, else the milliseconds until one may. */
  async take(queue: string, { max, perMs }: RateLimit, now: Date): Promise<number> {
    const windowBegan = new Date(now.getTime() - perMs);
    const here = await this.limits
      .findOneAndUpdate(
        { _id: queue, since: { $gt: windowBegan }, count: { $lt: max } },
        { $inc: { count: 1 } },
        { returnDocument: 'after' },
      )
      .lean<RateLimitRecord>()
      .exec();
    if (here) return 0;
    if (await this.beginWindow(queue, windowBegan, now)) return 0;
    const full = await this.limits.findOne({ _id: queue }).lean<RateLimitRecord>().exec();
    return Math.max(1, (full?.since.getTime() ?? 0) + perMs - now.getTime());
  }

  /** False when the window of another process is not over. */
  private async beginWindow(queue: string, windowBegan: Date, now: Date): Promise<boolean> {
    try {
      const { matchedCount, upsertedCount } = await this.limits
        .updateOne(
          { _id: queue, since: { $lte: windowBegan } },
          { $set: { since: now, count: 1 } },
          { upsert: true },
        )
        .exec();
      return matchedCount + upsertedCount > 0;
    } catch (error) {
      if (duplicateKeyFields(error)) return false;
      throw error;
    }
  }
}
