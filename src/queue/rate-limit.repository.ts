import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import type { Model } from 'mongoose';
import { duplicateKeyFields } from '../database/index.js';
import type { RateLimit } from './queue-definition.js';
import { RATE_LIMIT_MODEL, type RateLimitRecord } from './rate-limit.schema.js';

/**
 * A window that starts late by less than this share of `perMs` counts from the end of the previous one.
 * Otherwise the actual rate would stay below the limit.
 */
const LATE_SHARE = 0.1;

/** Limits the jobs started across all processes to `max` in each window of `perMs`. */
@Injectable()
export class RateLimitRepository {
  constructor(@InjectModel(RATE_LIMIT_MODEL) private readonly limits: Model<RateLimitRecord>) {}

  /**
   * Counts one job. Returns 0 if it may start now, otherwise the milliseconds to wait before trying again.
   */
  async take(queue: string, { max, perMs }: RateLimit, now: Date): Promise<number> {
    for (;;) {
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
      const last = await this.limits.findOne({ _id: queue }).lean<RateLimitRecord>().exec();
      const untilNext = last ? last.since.getTime() + perMs - now.getTime() : 0;
      if (untilNext > 0) return untilNext;
      const since = -untilNext < perMs * LATE_SHARE ? new Date(now.getTime() + untilNext) : now;
      // If another process opened the window first, the next iteration counts the job there.
      if (await this.beginWindow(queue, last?.since, since)) return 0;
    }
  }

  private async beginWindow(queue: string, last: Date | undefined, since: Date): Promise<boolean> {
    const first = { since, count: 1 };
    if (last) {
      const { matchedCount } = await this.limits
        .updateOne({ _id: queue, since: last }, { $set: first })
        .exec();
      return matchedCount === 1;
    }
    try {
      await this.limits.insertMany([{ _id: queue, ...first }], { lean: true });
      return true;
    } catch (error) {
      if (duplicateKeyFields(error)) return false;
      throw error;
    }
  }
}
