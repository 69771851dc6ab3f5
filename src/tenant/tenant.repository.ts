import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import type { Model } from 'mongoose';
import type { DateIdCursor } from '../common/index.js';
import { afterCursor } from './page-filter.js';
import { TENANT_MODEL, type TenantRecord } from './tenant.schema.js';
import type { Tenant } from './tenant.types.js';

export type TenantChanges = Partial<Pick<Tenant, 'name' | 'plan' | 'isActive'>>;

@Injectable()
export class TenantRepository {
  constructor(@InjectModel(TENANT_MODEL) private readonly tenants: Model<TenantRecord>) {}

  /** @throws MongoServerError 11000 when there is a tenant of that id */
  async insert(tenant: Tenant): Promise<void> {
    await this.tenants.insertOne(tenant);
  }

  async find(tenantId: string): Promise<Tenant | null> {
    return this.tenants.findOne({ tenantId }, { _id: 0 }).lean<Tenant>().exec();
  }

  async update(tenantId: string, changes: TenantChanges, updatedAt: Date): Promise<Tenant | null> {
    return this.tenants
      .findOneAndUpdate(
        { tenantId },
        { $set: { ...changes, updatedAt } },
        { returnDocument: 'after', projection: { _id: 0 }, runValidators: true },
      )
      .lean<Tenant>()
      .exec();
  }

  /** Newest first; up to `limit` rows after `cursor`. */
  async list(limit: number, cursor?: DateIdCursor): Promise<TenantRecord[]> {
    return this.tenants
      .find(afterCursor(cursor))
      .sort({ createdAt: -1, _id: -1 })
      .limit(limit)
      .lean<TenantRecord[]>()
      .exec();
  }
}
