import { Module, type OnModuleInit } from '@nestjs/common';
import { APP_GUARD, DiscoveryModule } from '@nestjs/core';
import { MongooseModule } from '@nestjs/mongoose';
import { CacheModule, CacheService } from '../cache/index.js';
import { SERVICE_SETTINGS, type ServiceSettings } from '../config/index.js';
import { AdminKey } from './admin-key.js';
import { ApiKeyGuard } from './api-key.guard.js';
import { ApiKeyRepository } from './api-key.repository.js';
import { IdentityController } from './identity.controller.js';
import { KeyVerifier } from './key-verifier.js';
import { RateLimiter } from './rate-limiter.js';
import { TenantDirectory } from './tenant-directory.js';
import { TenantController } from './tenant.controller.js';
import { TenantRepository } from './tenant.repository.js';
import { API_KEY_MODEL, apiKeySchema, TENANT_MODEL, tenantSchema } from './tenant.schema.js';
import { TenantService } from './tenant.service.js';
import { type MonotonicClock, TENANT_CLOCK } from './tenant.tokens.js';

/** Tenants, their keys, and the guard for all routes of the application. */
@Module({
  imports: [
    CacheModule,
    DiscoveryModule,
    MongooseModule.forFeature([
      { name: TENANT_MODEL, schema: tenantSchema },
      { name: API_KEY_MODEL, schema: apiKeySchema },
    ]),
  ],
  controllers: [TenantController, IdentityController],
  providers: [
    { provide: TENANT_CLOCK, useValue: performance },
    {
      provide: RateLimiter,
      useFactory: (settings: ServiceSettings, clock: MonotonicClock) =>
        new RateLimiter(settings.RATE_LIMIT_PER_MINUTE, clock),
      inject: [SERVICE_SETTINGS, TENANT_CLOCK],
    },
    {
      provide: AdminKey,
      useFactory: ({ ADMIN_API_KEY }: ServiceSettings) => new AdminKey(ADMIN_API_KEY),
      inject: [SERVICE_SETTINGS],
    },
    TenantRepository,
    ApiKeyRepository,
    TenantDirectory,
    KeyVerifier,
    TenantService,
    ApiKeyGuard,
    { provide: APP_GUARD, useExisting: ApiKeyGuard },
  ],
  exports: [TenantDirectory, AdminKey],
})
export class TenantModule implements OnModuleInit {
  constructor(
    private readonly cache: CacheService,
    private readonly directory: TenantDirectory,
  ) {}

  /**
   * The cache is a lower-level module and does not know tenants, so it gets the rule for which of them may
   * use Redis from here.
   */
  onModuleInit(): void {
    this.cache.useSharedTierFor(async (tenantId) => (await this.directory.features(tenantId)).sharedState);
  }
}
