import { Injectable } from '@nestjs/common';
import { CacheService } from '../cache/index.js';
import { identityLifetime, type KnownTenant, tenantEntry } from './identity-cache.js';
import { TenantRepository } from './tenant.repository.js';
import { allFeatures, type TenantFeatures } from './tenant.types.js';

/** Tenants as every request asks for them: from the cache, at most a second behind what an operator has changed. */
@Injectable()
export class TenantDirectory {
  constructor(
    private readonly tenants: TenantRepository,
    private readonly cache: CacheService,
  ) {}

  /** Undefined when there is no such tenant. What is returned is shared and must not be changed. */
  async find(tenantId: string): Promise<KnownTenant | undefined> {
    return this.cache.wrap(tenantEntry(tenantId), identityLifetime, async () => {
      const tenant = await this.tenants.findForRequest(tenantId);
      if (!tenant) return undefined;
      const { name, plan, isActive, features } = tenant;
      return { tenantId, name, plan, isActive, features };
    });
  }

  /** What is switched on for a tenant; everything when there is no such tenant. */
  async features(tenantId: string): Promise<TenantFeatures> {
    return (await this.find(tenantId))?.features ?? allFeatures;
  }

  /** Removes all that the cache holds of the tenant, in every process: to be called after a change of it has been committed. */
  forget(tenantId: string): Promise<void> {
    return this.cache.invalidateTenant(tenantId);
  }
}
