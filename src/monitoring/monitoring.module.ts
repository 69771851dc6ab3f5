import { Global, Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { DatabaseTimings } from './database/database-timings.js';
import { HealthController } from './health.controller.js';
import { HealthService } from './health.service.js';
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
    HealthService,
    Metrics,
    { provide: PerformanceMonitor, useFactory: () => new PerformanceMonitor() },
    RequestTimings,
    DatabaseTimings,
    ProcessMetrics,
    RoomMetrics,
  ],
  exports: [HealthService, Metrics, PerformanceMonitor, ProcessMetrics, RequestTimings],
})
export class MonitoringModule {}
