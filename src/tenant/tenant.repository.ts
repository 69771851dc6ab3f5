import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import type { Model } from 'mongoose';
import { type RetentionKind, retentionKinds } from '../config/index.js';
import { afterCursor } from '../database/index.js';
import type { DateIdCursor } from '../http/index.js';
import { TENANT_MODEL, type TenantRecord } from './tenant.schema.js';
import { allFeatures, featureNames, type Tenant, type TenantFeatures } from './tenant.types.js';

export type TenantRow = Omit<TenantRecord, '_id'>;

export type TenantChanges = Partial<Pick<Tenant, 'name' | 'plan' | 'isActive'>> & {
  /** Only the given features are changed. */
  features?: Partial<TenantFeatures> | undefined;
  /** Only the given kinds are changed; null removes the tenant's own period. */
  retention?: Readonly<Partial<Record<RetentionKind, number | null | undefined>>> | undefined;
};

const notBeingDeleted = { deletion: { $exists: false } } as const;

/** Converts a stored row to a tenant; features missing in the row are on. */
export const tenantOf = ({ features, ...rest }: TenantRow): Tenant => ({
  ...rest,
  features: { ...allFeatures, ...features },
});

@Injectable()
export class TenantRepository {
  constructor(@InjectModel(TENANT_MODEL) private readonly tenants: Model<TenantRecord>) {}

  /** @throws MongoServerError 11000 when a tenant with that id exists */
  async insert(tenant: TenantRow): Promise<void> {
    await this.tenants.insertOne(tenant);
  }

  async find(tenantId: string): Promise<Tenant | null> {
    const row = await this.tenants.findOne({ tenantId }, { _id: 0 }).lean<TenantRow>().exec();
    return row && tenantOf(row);
  }

  /**
   * Reads committed data, even inside a transaction: the result is shared with requests outside that
   * transaction.
   */
  async findForRequest(tenantId: string): Promise<Tenant | null> {
    const row = await this.tenants
      .findOne({ tenantId }, { _id: 0 }, { session: null })
      .lean<TenantRow>()
      .exec();
    return row && tenantOf(row);
  }

  /** Changes a tenant. Returns null if it does not exist or is being deleted. */
  async update(
    tenantId: string,
    { features = {}, retention = {}, ...changes }: TenantChanges,
    updatedAt: Date,
  ): Promise<Tenant | null> {
    const switched: Record<string, boolean> = {};
    for (const name of featureNames)
      if (features[name] !== undefined) switched[`features.${name}`] = features[name];
    const periods: Record<string, number> = {};
    const removed: Record<string, 1> = {};
    for (const kind of retentionKinds) {
      const days = retention[kind];
      if (days === null) removed[`retention.${kind}`] = 1;
      else if (days !== undefined) periods[`retention.${kind}`] = days;
    }
    const row = await this.tenants
      .findOneAndUpdate(
        { tenantId, ...notBeingDeleted },
        { $set: { ...changes, ...switched, ...periods, updatedAt }, $unset: removed },
        { returnDocument: 'after', projection: { _id: 0 }, runValidators: true },
      )
      .lean<TenantRow>()
      .exec();
    return row && tenantOf(row);
  }

  /** Sets `erasedIdsUntil` unless it is later already. */
  async keepErasedIds(tenantId: string, until: Date): Promise<void> {
    await this.tenants.updateOne({ tenantId }, { $max: { erasedIdsUntil: until } }).exec();
  }

  /** Marks the tenant. Returns null if it does not exist or is marked already. */
  async beginDeletion(tenantId: string, startedAt: Date): Promise<Tenant | null> {
    const row = await this.tenants
      .findOneAndUpdate(
        { tenantId, ...notBeingDeleted },
        { $set: { isActive: false, updatedAt: startedAt, deletion: { startedAt, documents: 0 } } },
        { returnDocument: 'after', projection: { _id: 0 } },
      )
      .lean<TenantRow>()
      .exec();
    return row && tenantOf(row);
  }

  /** All tenants that are being deleted: few, and only briefly. */
  async beingDeleted(): Promise<TenantRow[]> {
    return this.tenants
      .find({ 'deletion.startedAt': { $exists: true, $gt: new Date(0) } }, { _id: 0 })
      .lean<TenantRow[]>()
      .exec();
  }

  async countDeleted(tenantId: string, documents: number): Promise<void> {
    await this.tenants
      .updateOne(
        { tenantId, 'deletion.startedAt': { $exists: true } },
        { $inc: { 'deletion.documents': documents } },
      )
      .exec();
  }

  /** Deletes a tenant that is marked. */
  async endDeletion(tenantId: string): Promise<void> {
    await this.tenants.deleteOne({ tenantId, 'deletion.startedAt': { $exists: true } }).exec();
  }

  /** Tenants that are not being deleted, in order of their ids, after `after`. */
  async listById(after: string, limit: number): Promise<Tenant[]> {
    const rows = await this.tenants
      .find({ tenantId: { $gt: after }, ...notBeingDeleted }, { _id: 0 })
      .sort({ tenantId: 1 })
      .limit(limit)
      .lean<TenantRow[]>()
      .exec();
    return rows.map(tenantOf);
  }

  /** Lists tenants, newest first; up to `limit` rows after `cursor`. */
  async list(limit: number, cursor?: DateIdCursor): Promise<TenantRecord[]> {
    return this.tenants
      .find(afterCursor('createdAt', cursor))
      .sort({ createdAt: -1, _id: -1 })
      .limit(limit)
      .lean<TenantRecord[]>()
      .exec();
  }
}
