import { Global, Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { DatabaseHealth } from './health/checks/database.check.js';
import { DiskHealth } from './health/checks/disk.check.js';
import { RedisHealth } from './health/checks/redis.check.js';
import { EventLoopWatch } from './health/event-loop-watch.js';
import { HealthProbes } from './health/health-probes.js';
import { HealthRegistry } from './health/health-registry.js';
import { HealthController } from './health/health.controller.js';
import { HealthService } from './health/health.service.js';
import { MetricsController } from './metrics/metrics.controller.js';
import { Metrics } from './metrics/metrics.js';

/** Probes, and what this process tells of itself; every room may add to it. */
@Global()
@Module({
  imports: [TerminusModule.forRoot({ logger: false })],
  controllers: [HealthController, MetricsController],
  providers: [
    HealthRegistry,
    EventLoopWatch,
    HealthService,
    HealthProbes,
    DatabaseHealth,
    RedisHealth,
    DiskHealth,
    Metrics,
  ],
  exports: [HealthRegistry, HealthService, HealthProbes, Metrics],
})
export class MonitoringModule {}
