import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import type { Model } from 'mongoose';
import { duplicateKeyFields } from '../../database/index.js';
import { ERASURE_KEY_MODEL, type ErasureKeyRecord } from './erasure-key.schema.js';

const ID = 'participants';

@Injectable()
export class ErasureKeyRepository {
  constructor(@InjectModel(ERASURE_KEY_MODEL) private readonly keys: Model<ErasureKeyRecord>) {}

  find(): Promise<ErasureKeyRecord | null> {
    return this.keys.findOne({ _id: ID }).lean<ErasureKeyRecord>().exec();
  }

  /** Does nothing if another process has stored a key before. */
  async insert(key: ErasureKeyRecord['key'], createdAt: Date): Promise<void> {
    try {
      await this.keys.insertMany([{ _id: ID, key, createdAt }], { lean: true });
    } catch (error) {
      if (!duplicateKeyFields(error)) throw error;
    }
  }

  /** Stores the same key in another form. */
  async reseal(key: ErasureKeyRecord['key']): Promise<void> {
    await this.keys.updateOne({ _id: ID }, { $set: { key } }).exec();
  }
}
