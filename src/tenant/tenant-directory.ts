import { Injectable } from '@nestjs/common';
import { CacheService } from '../cache/index.js';
import { identityLifetime, type KnownTenant, tenantEntry } from './identity-cache.js';
import { TenantRepository } from './tenant.repository.js';
import { allFeatures, type Tenant, type TenantFeatures } from './tenant.types.js';

/** Number of tenants in one query. */
const AT_ONCE = 100;

/**
 * Looks up tenants for requests. Reads from the cache, which is at most a second behind an operator's
 * changes.
 */
@Injectable()
export class TenantDirectory {
  constructor(
    private readonly tenants: TenantRepository,
    private readonly cache: CacheService,
  ) {}

  /**
   * Returns undefined when the tenant does not exist. The returned object is shared and must not be modified.
   */
  async find(tenantId: string): Promise<KnownTenant | undefined> {
    return this.cache.wrap(tenantEntry(tenantId), identityLifetime, async () => {
      const tenant = await this.tenants.findForRequest(tenantId);
      if (!tenant) return undefined;
      const { name, plan, isActive, features, erasedIdsUntil } = tenant;
      return { tenantId, name, plan, isActive, features, ...(erasedIdsUntil && { erasedIdsUntil }) };
    });
  }

  /** Reads a tenant with all its settings from the database. */
  read(tenantId: string): Promise<Tenant | null> {
    return this.tenants.find(tenantId);
  }

  /** All tenants that are not being deleted, in order of their ids. */
  async *all(): AsyncGenerator<Tenant> {
    for (let tenants: Tenant[] = []; ;) {
      tenants = await this.tenants.listById(tenants.at(-1)?.tenantId ?? '', AT_ONCE);
      yield* tenants;
      if (tenants.length < AT_ONCE) return;
    }
  }

  /**
   * Makes every process look up the ids of erased participants until this time: this one at once, the others
   * within IDENTITY_TTL_MS.
   */
  async keepErasedIds(tenantId: string, until: Date): Promise<void> {
    await this.tenants.keepErasedIds(tenantId, until);
    await this.forget(tenantId);
  }

  /** Returns the features of a tenant; all are on when the tenant does not exist. */
  async features(tenantId: string): Promise<TenantFeatures> {
    return (await this.find(tenantId))?.features ?? allFeatures;
  }

  /**
   * Removes all cache entries of the tenant in every process. Must be called after a change to it has been
   * committed.
   */
  forget(tenantId: string): Promise<void> {
    return this.cache.invalidateTenant(tenantId);
  }
}
