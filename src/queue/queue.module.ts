import { type DynamicModule, Inject, Module, type OnModuleInit } from '@nestjs/common';
import { DiscoveryModule, ModuleRef } from '@nestjs/core';
import { getQueueToken } from '@nestjs/bullmq';
import { MongooseModule } from '@nestjs/mongoose';
import { TenantDeletion, TenantModule } from '../tenant/index.js';
import { MonitoringModule } from '../monitoring/index.js';
import { RedisModule, RedisService } from '../redis/index.js';
import { BullDriver } from './drivers/bull.driver.js';
import { BullQueues } from './drivers/bull-queues.js';
import { BullRelay } from './drivers/bull-relay.js';
import { DatabaseDriver } from './drivers/database.driver.js';
import { QUEUE_DRIVER, type QueueDriver } from './drivers/queue-driver.js';
import { JobArchivable } from './job.archivable.js';
import { JobController } from './job.controller.js';
import { JobRepository } from './job.repository.js';
import { JobRunner } from './job-runner.js';
import { JOB_MODEL, jobSchema } from './job.schema.js';
import type { QueueDeclaration } from './queue-definition.js';
import { QueueMonitoring } from './queue-monitoring.js';
import { QueueController } from './queue.controller.js';
import { QueueRegistry } from './queue-registry.js';
import { QueueService } from './queue.service.js';
import { QueueWorkers } from './queue-workers.js';
import { RateLimitRepository } from './rate-limit.repository.js';
import { RATE_LIMIT_MODEL, rateLimitSchema } from './rate-limit.schema.js';

const FEATURE = Symbol('queues of a feature');

/** Declares the queues of one module. Each importing module has its own instance. */
@Module({})
class QueueFeatureModule implements OnModuleInit {
  constructor(
    private readonly registry: QueueRegistry,
    @Inject(FEATURE) private readonly definitions: readonly QueueDeclaration[],
  ) {}

  onModuleInit(): void {
    for (const definition of this.definitions) this.registry.add(definition);
  }
}

/**
 * Background jobs: `forFeature` declares a module's queues, `QueueService` stores jobs, and a class decorated
 * with `@ProcessorOf` runs them.
 */
@Module({
  imports: [
    DiscoveryModule,
    RedisModule,
    MonitoringModule,
    TenantModule,
    MongooseModule.forFeature([
      { name: JOB_MODEL, schema: jobSchema },
      { name: RATE_LIMIT_MODEL, schema: rateLimitSchema },
    ]),
  ],
  controllers: [JobController, QueueController],
  providers: [
    JobRepository,
    RateLimitRepository,
    JobRunner,
    QueueMonitoring,
    QueueRegistry,
    BullQueues,
    BullRelay,
    {
      provide: QUEUE_DRIVER,
      useFactory: (redis: RedisService, modules: ModuleRef): Promise<QueueDriver> =>
        modules.create<QueueDriver>(redis.enabled ? BullDriver : DatabaseDriver),
      inject: [RedisService, ModuleRef],
    },
    QueueService,
    QueueWorkers,
    JobArchivable,
  ],
  exports: [QueueService, QueueRegistry, QueueWorkers, BullQueues],
})
export class QueueModule {
  constructor(queues: QueueService, tenants: TenantDeletion) {
    tenants.contribute({
      name: 'queue',
      erase: (tenantId, signal) => queues.deleteAll(tenantId, signal),
    });
  }

  /**
   * Declares the queues of the importing module, which can then inject `QueueService`. It can also inject the
   * BullMQ queue with `@InjectQueue(name)` of @nestjs/bullmq, which is undefined without Redis.
   */
  static forFeature(definitions: readonly QueueDeclaration[]): DynamicModule {
    const queues = definitions.map(({ name }) => ({
      provide: getQueueToken(name),
      useFactory: (bull: BullQueues) => bull.find(name),
      inject: [BullQueues],
    }));
    return {
      module: QueueFeatureModule,
      imports: [QueueModule],
      providers: [{ provide: FEATURE, useValue: definitions }, ...queues],
      exports: [QueueModule, ...queues],
    };
  }
}
