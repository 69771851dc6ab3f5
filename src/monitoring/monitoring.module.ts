import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import {
  MONITORING_SETTINGS,
  type MonitoringSettings,
  SERVICE_SETTINGS,
  type ServiceSettings,
  SHUTDOWN_SHARES,
} from '../config/index.js';
import { LOGGER, type Logger } from '../logging/index.js';
import { AlertPublisher } from './alerts/alert-publisher.js';
import { AlertTracker } from './alerts/alert-tracker.js';
import { AlertWatch } from './alerts/alert-watch.js';
import { AlertWebhook } from './alerts/alert-webhook.js';
import { EventLoopWatch } from './health/event-loop-watch.js';
import { HealthProbes } from './health/health-probes.js';
import { HealthController } from './health/health.controller.js';
import { HealthService } from './health/health.service.js';
import { Monitoring } from './monitoring.js';
import { DiskMonitoring } from './process/disk-monitoring.js';
import { ProcessMonitoring } from './process/process-monitoring.js';
import { MetricsAccess } from './metrics/metrics-access.js';
import { MetricsController } from './metrics/metrics.controller.js';
import { MetricsService } from './snapshot/metrics.service.js';
import { MonitoringController } from './snapshot/monitoring.controller.js';
import { SnapshotReader } from './snapshot/snapshot-reader.js';
import { PerformanceMonitor } from './timings/performance-monitor.js';
import { RequestTimings } from './timings/request-timings.js';
import { SlowOperations } from './timings/slow-operations.js';

/**
 * Probes, timings, metrics and alerts of this process. A module that contributes to them imports this module
 * and injects `Monitoring`.
 */
@Module({
  imports: [TerminusModule.forRoot({ logger: false })],
  controllers: [HealthController, MetricsController, MonitoringController],
  providers: [
    Monitoring,
    MetricsAccess,
    EventLoopWatch,
    HealthService,
    HealthProbes,
    { provide: PerformanceMonitor, useFactory: () => new PerformanceMonitor() },
    SlowOperations,
    RequestTimings,
    ProcessMonitoring,
    DiskMonitoring,
    SnapshotReader,
    MetricsService,
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
  exports: [Monitoring, HealthService, MetricsService, PerformanceMonitor, RequestTimings, SlowOperations],
})
export class MonitoringModule {}
