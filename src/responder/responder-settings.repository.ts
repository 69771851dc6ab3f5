import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import type { Model } from 'mongoose';
import { TransactionRunner } from '../database/index.js';
import { RESPONDER_SETTINGS_MODEL, type ResponderSettingsRecord } from './responder-settings.schema.js';

@Injectable()
export class ResponderSettingsRepository {
  constructor(
    @InjectModel(RESPONDER_SETTINGS_MODEL) private readonly settings: Model<ResponderSettingsRecord>,
    private readonly transactions: TransactionRunner,
  ) {}

  async find(tenantId: string): Promise<ResponderSettingsRecord | null> {
    return this.settings.findOne({ tenantId }).lean<ResponderSettingsRecord>().exec();
  }

  async put(
    tenantId: string,
    settings: Pick<ResponderSettingsRecord, 'type' | 'config' | 'updatedAt'>,
  ): Promise<void> {
    const { type, config, updatedAt } = settings;
    const { session } = this.transactions;
    // Not through the model: its updates omit keys named `prototype`, and take an object with the key
    // `isMongooseBuffer` for one of Mongoose's own.
    await this.settings.collection.updateOne(
      { tenantId },
      { $set: { type, config, updatedAt } },
      { upsert: true, ...(session && { session }) },
    );
  }

  async delete(tenantId: string): Promise<void> {
    await this.settings.deleteOne({ tenantId }).exec();
  }
}
