import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import type { Connection, Types } from 'mongoose';
import { TENANT_MODEL } from './tenant.schema.js';
import type { Usage } from './tenant.types.js';

/** Measures and deletes the documents of a tenant in the collections of all modules. */
@Injectable()
export class TenantDataRepository {
  constructor(@InjectConnection() private readonly connection: Connection) {}

  /** The models with a `tenantId`, of whichever module, except the tenants themselves. */
  models(): string[] {
    return this.connection
      .modelNames()
      .filter((name) => name !== TENANT_MODEL && this.connection.model(name).schema.path('tenantId'));
  }

  /** Returns the number and size of all documents of a tenant. Reads all of them. */
  async usage(tenantId: string): Promise<Usage> {
    const total = { bytes: 0, documents: 0 };
    for (const model of this.models()) {
      const [usage] = await this.connection
        .model(model)
        .aggregate<Usage>([
          { $match: { tenantId } },
          { $group: { _id: null, bytes: { $sum: { $bsonSize: '$$ROOT' } }, documents: { $sum: 1 } } },
        ])
        .exec();
      total.bytes += usage?.bytes ?? 0;
      total.documents += usage?.documents ?? 0;
    }
    return total;
  }

  /** Deletes up to `limit` documents of a model, and returns their number. */
  async deleteSome(model: string, tenantId: string, limit: number): Promise<number> {
    const documents = this.connection.model<{ _id: Types.ObjectId; tenantId: string }>(model);
    const rows = await documents
      .find({ tenantId }, { _id: 1 })
      .limit(limit)
      .lean<{ _id: Types.ObjectId }[]>()
      .exec();
    if (rows.length === 0) return 0;
    await documents.deleteMany({ tenantId, _id: { $in: rows.map(({ _id }) => _id) } }).exec();
    return rows.length;
  }
}
