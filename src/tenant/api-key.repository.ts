import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import type { Model } from 'mongoose';
import { afterCursor } from '../database/index.js';
import type { DateIdCursor } from '../http/index.js';
import { API_KEY_MODEL, type ApiKeyRecord } from './tenant.schema.js';
import type { ApiKey } from './tenant.types.js';

export type ApiKeyRow = Omit<ApiKeyRecord, 'hash'>;

@Injectable()
export class ApiKeyRepository {
  constructor(@InjectModel(API_KEY_MODEL) private readonly keys: Model<ApiKeyRecord>) {}

  async insert(tenantId: string, key: ApiKey & { hash: string }): Promise<void> {
    await this.keys.insertOne({ ...key, tenantId });
  }

  /**
   * The only read without a tenant, because it determines the tenant of a key. Reads committed data, even
   * inside a transaction.
   */
  async findForRequest(keyId: string): Promise<(ApiKey & { hash: string }) | null> {
    return this.keys
      .findOne({ keyId }, { _id: 0 }, { session: null })
      .lean<ApiKey & { hash: string }>()
      .exec();
  }

  /** Lists keys, newest first, without hashes; up to `limit` rows after `cursor`. */
  async list(tenantId: string, limit: number, cursor?: DateIdCursor): Promise<ApiKeyRow[]> {
    return this.keys
      .find({ tenantId, ...afterCursor('createdAt', cursor) }, { hash: 0 })
      .sort({ createdAt: -1, _id: -1 })
      .limit(limit)
      .lean<ApiKeyRow[]>()
      .exec();
  }

  /** Returns false when the tenant has no such key. A repeated revocation keeps the time of the first. */
  async revoke(tenantId: string, keyId: string, revokedAt: Date): Promise<boolean> {
    const { matchedCount } = await this.keys
      .updateOne({ tenantId, keyId, revokedAt: null }, { $set: { revokedAt } })
      .exec();
    return matchedCount > 0 || (await this.keys.exists({ tenantId, keyId }).exec()) !== null;
  }

  /** Deletes all keys of the tenant. */
  async deleteAll(tenantId: string): Promise<void> {
    await this.keys.deleteMany({ tenantId }).exec();
  }

  async touch(tenantId: string, keyId: string, lastUsedAt: Date): Promise<void> {
    await this.keys.updateOne({ tenantId, keyId }, { $set: { lastUsedAt } }).exec();
  }
}
