import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import type { Model } from 'mongoose';
import { ERASED_ID_MODEL, type ErasedIdRecord } from './erased-id.schema.js';

@Injectable()
export class ErasedIdRepository {
  constructor(@InjectModel(ERASED_ID_MODEL) private readonly ids: Model<ErasedIdRecord>) {}

  async put(tenantId: string, hashes: readonly string[], expiresAt: Date): Promise<void> {
    await this.ids.bulkWrite(
      hashes.map((hash) => ({
        updateOne: { filter: { tenantId, hash }, update: { $set: { expiresAt } }, upsert: true },
      })),
      { ordered: false },
    );
  }

  /** The TTL index deletes ids up to a minute late, so `now` is compared. */
  async hasAny(tenantId: string, hashes: readonly string[], now: Date): Promise<boolean> {
    const found = await this.ids
      .findOne({ tenantId, hash: { $in: [...hashes] }, expiresAt: { $gt: now } }, { _id: 1 })
      .lean<Pick<ErasedIdRecord, '_id'>>()
      .exec();
    return found !== null;
  }
}
