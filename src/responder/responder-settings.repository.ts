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

  async put(tenantId: string, settings: Omit<ResponderSettingsRecord, '_id' | 'tenantId'>): Promise<void> {
    const { type, config, sealedBy, debounceMs, updatedAt } = settings;
    const absent = {
      ...(sealedBy === undefined && { sealedBy: 1 }),
      ...(debounceMs === undefined && { debounceMs: 1 }),
    };
    const change = {
      $set: {
        type,
        config,
        updatedAt,
        ...(sealedBy !== undefined && { sealedBy }),
        ...(debounceMs !== undefined && { debounceMs }),
      },
      ...(Object.keys(absent).length > 0 && { $unset: absent }),
    };
    const { session } = this.transactions;
    // Not through the model: its updates omit keys named `prototype`, and take an object with the key
    // `isMongooseBuffer` for one of Mongoose's own.
    await this.settings.collection.updateOne({ tenantId }, change, {
      upsert: true,
      ...(session && { session }),
    });
  }

  /** Settings of these types whose secrets are not encrypted with the key. */
  async notSealedBy(
    types: readonly string[],
    keyId: string,
    limit: number,
  ): Promise<ResponderSettingsRecord[]> {
    return this.settings
      .find({ type: { $in: [...types] }, sealedBy: { $ne: keyId } })
      .limit(limit)
      .lean<ResponderSettingsRecord[]>()
      .exec();
  }

  /** The id of a key, other than these, with which secrets are encrypted; undefined if there is none. */
  async otherKeyId(types: readonly string[], keyIds: readonly string[]): Promise<string | undefined> {
    const found = await this.settings
      .findOne({ type: { $in: [...types] }, sealedBy: { $gt: '', $nin: [...keyIds] } }, { sealedBy: 1 })
      .lean<ResponderSettingsRecord>()
      .exec();
    return found?.sealedBy;
  }

  /** Replaces the configuration unless it was changed since it was read. */
  async reseal(
    { _id, tenantId, updatedAt }: ResponderSettingsRecord,
    config: Record<string, unknown>,
    sealedBy: string,
  ): Promise<void> {
    // Not through the model, as in `put`.
    await this.settings.collection.updateOne({ tenantId, _id, updatedAt }, { $set: { config, sealedBy } });
  }

  async delete(tenantId: string): Promise<void> {
    await this.settings.deleteOne({ tenantId }).exec();
  }
}
