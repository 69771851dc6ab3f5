import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import type { Model } from 'mongoose';
import { RESPONDER_SETTINGS_MODEL, type ResponderSettingsRecord } from './responder-settings.schema.js';

@Injectable()
export class ResponderSettingsRepository {
  constructor(
    @InjectModel(RESPONDER_SETTINGS_MODEL) private readonly settings: Model<ResponderSettingsRecord>,
  ) {}

  async find(tenantId: string): Promise<ResponderSettingsRecord | null> {
    return this.settings.findOne({ tenantId }).lean<ResponderSettingsRecord>().exec();
  }

  async put(
    tenantId: string,
    settings: Pick<ResponderSettingsRecord, 'type' | 'config' | 'updatedAt'>,
  ): Promise<void> {
    const { type, config, updatedAt } = settings;
    await this.settings
      .updateOne({ tenantId }, { $set: { type, config, updatedAt } }, { upsert: true })
      .exec();
  }

  async delete(tenantId: string): Promise<void> {
    await this.settings.deleteOne({ tenantId }).exec();
  }
}
