import { Global, Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { CacheModule } from '../cache/index.js';
import {
  MONITORING_SETTINGS,
  type MonitoringSettings,
  SERVICE_SETTINGS,
  type ServiceSettings,
  SHUTDOWN_SHARES,
} from '../config/index.js';
import { LOGGER, type Logger } from '../logging/index.js';
import { RedisModule } from '../redis/index.js';
import { TenantModule } from '../tenant/index.js';
import { AlertPublisher } from './alerts/alert-publisher.js';
import { AlertRules } from './alerts/alert-rules.js';
import { AlertTracker } from './alerts/alert-tracker.js';
import { AlertWatch } from './alerts/alert-watch.js';
import { AlertWebhook } from './alerts/alert-webhook.js';
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
import { BaseMetrics } from './metrics/base-metrics.js';
import { ProcessMetrics } from './process/process-metrics.js';
import { MetricsService } from './snapshot/metrics.service.js';
import { MonitoringController } from './snapshot/monitoring.controller.js';
import { SnapshotReader } from './snapshot/snapshot-reader.js';
import { SnapshotSources } from './snapshot/snapshot-sources.js';
import { PerformanceMonitor } from './timings/performance-monitor.js';
import { RequestTimings } from './timings/request-timings.js';
import { SlowOperations } from './timings/slow-operations.js';
import { TrafficMeter } from './timings/traffic-meter.js';

/** Probes, timings, metrics and alerts of this process; every module may add its own. */
@Global()
@Module({
  imports: [TerminusModule.forRoot({ logger: false }), TenantModule, CacheModule, RedisModule],
  controllers: [HealthController, MetricsController, MonitoringController],
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
    { provide: TrafficMeter, useFactory: () => new TrafficMeter() },
    SlowOperations,
    RequestTimings,
    DatabaseTimings,
    ProcessMetrics,
    BaseMetrics,
    SnapshotSources,
    SnapshotReader,
    MetricsService,
    AlertRules,
    {
      provide: AlertTracker,
      useFactory: ({ ALERT_HOLD_MS }: MonitoringSettings) => new AlertTracker({ holdMs: ALERT_HOLD_MS }),
      inject: [MONITORING_SETTINGS],
    },
    {
      provide: AlertWebhook,
      useFactory: (settings: MonitoringSettings, service: ServiceSettings, logger: Logger) =>
        new AlertWebhook({
          url: settings.ALERT_WEBHOOK_URL,
          secret: settings.ALERT_WEBHOOK_SECRET,
          flushMs: service.SHUTDOWN_GRACE_MS * SHUTDOWN_SHARES.alerts,
          logger,
        }),
      inject: [MONITORING_SETTINGS, SERVICE_SETTINGS, LOGGER],
    },
    AlertPublisher,
    AlertWatch,
  ],
  exports: [
    HealthRegistry,
    HealthService,
    HealthProbes,
    Metrics,
    MetricsService,
    PerformanceMonitor,
    ProcessMetrics,
    RequestTimings,
    SnapshotSources,
  ],
})
export class MonitoringModule {}
