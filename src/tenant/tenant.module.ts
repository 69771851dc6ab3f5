import { Module, type OnModuleInit } from '@nestjs/common';
import { APP_GUARD, DiscoveryModule } from '@nestjs/core';
import { MongooseModule } from '@nestjs/mongoose';
import { CacheModule, CacheService } from '../cache/index.js';
import {
  MONITORING_SETTINGS,
  type MonitoringSettings,
  SERVICE_SETTINGS,
  type ServiceSettings,
} from '../config/index.js';
import { LOGGER, type Logger } from '../logging/index.js';
import { counter, Monitoring, MonitoringModule } from '../monitoring/index.js';
import { RedisModule } from '../redis/index.js';
import { AdminKey } from './admin-key.js';
import { ApiKeyGuard } from './api-key.guard.js';
import { ApiKeyRepository } from './api-key.repository.js';
import { ErasedIds } from './erased-ids.js';
import { IdentityController } from './identity.controller.js';
import { KeyThrottle } from './key-throttle.js';
import { KeyVerifier } from './key-verifier.js';
import { Quotas } from './quotas.js';
import { RateLimiter } from './rate-limiter.js';
import { TenantDataRepository } from './tenant-data.repository.js';
import { TenantDeletion } from './tenant-deletion.js';
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
    MonitoringModule,
    RedisModule,
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
      provide: KeyThrottle,
      useFactory: (settings: ServiceSettings, clock: MonotonicClock, logger: Logger) =>
        new KeyThrottle(settings.WRONG_KEYS_PER_MINUTE, clock, logger),
      inject: [SERVICE_SETTINGS, TENANT_CLOCK, LOGGER],
    },
    {
      provide: Quotas,
      useFactory: (
        { QUOTA_STORAGE_BYTES: bytes, QUOTA_DOCUMENTS: documents }: ServiceSettings,
        data: TenantDataRepository,
        clock: MonotonicClock,
        logger: Logger,
      ) => new Quotas({ bytes, documents }, (tenantId) => data.usage(tenantId), clock, logger),
      inject: [SERVICE_SETTINGS, TenantDataRepository, TENANT_CLOCK, LOGGER],
    },
    {
      provide: AdminKey,
      useFactory: ({ ADMIN_API_KEY }: ServiceSettings, { METRICS_TOKEN }: MonitoringSettings) =>
        new AdminKey(ADMIN_API_KEY, METRICS_TOKEN),
      inject: [SERVICE_SETTINGS, MONITORING_SETTINGS],
    },
    TenantRepository,
    ApiKeyRepository,
    TenantDataRepository,
    TenantDeletion,
    TenantDirectory,
    ErasedIds,
    KeyVerifier,
    TenantService,
    ApiKeyGuard,
    { provide: APP_GUARD, useExisting: ApiKeyGuard },
  ],
  exports: [TenantDirectory, ErasedIds, TenantDeletion, AdminKey, KeyThrottle],
})
export class TenantModule implements OnModuleInit {
  constructor(
    private readonly cache: CacheService,
    private readonly directory: TenantDirectory,
    private readonly throttle: KeyThrottle,
    private readonly monitoring: Monitoring,
  ) {}

  /**
   * The cache is a lower-level module and does not know tenants, so it gets the rule for which of them may
   * use Redis from here.
   */
  onModuleInit(): void {
    this.cache.useSharedTierFor(async (tenantId) => (await this.directory.features(tenantId)).sharedState);
    const wrongKeys = counter({
      name: 'colloquy_wrong_keys_total',
      help: 'Wrong keys by outcome: refused, or throttled because too many came from one address',
      labelNames: ['outcome'],
      read: (set) => {
        set(this.throttle.counts.wrong, { outcome: 'refused' });
        set(this.throttle.counts.throttled, { outcome: 'throttled' });
      },
    });
    this.monitoring.contribute({ metrics: [wrongKeys] });
  }
}
