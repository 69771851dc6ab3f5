import { Global, Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { DatabaseTimings } from './database/database-timings.js';
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
import { RoomMetrics } from './metrics/room-metrics.js';
import { ProcessMetrics } from './process/process-metrics.js';
import { PerformanceMonitor } from './timings/performance-monitor.js';
import { RequestTimings } from './timings/request-timings.js';

/** Probes, timings, and what this process tells of itself; every room may add to it. */
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
    { provide: PerformanceMonitor, useFactory: () => new PerformanceMonitor() },
    RequestTimings,
    DatabaseTimings,
    ProcessMetrics,
    RoomMetrics,
  ],
  exports: [
    HealthRegistry,
    HealthService,
    HealthProbes,
    Metrics,
    PerformanceMonitor,
    ProcessMetrics,
    RequestTimings,
  ],
})
export class MonitoringModule {}
