export type { Alert, AlertSeverity, AlertUnit, ServiceStatus } from './alerts/alert.js';
export { startErrorReports } from './errors/sentry-reporter.js';
export type { HealthCheck, HealthFinding } from './health/health-check.js';
export { HealthProbes } from './health/health-probes.js';
export { HealthRegistry } from './health/health-registry.js';
export { HealthService } from './health/health.service.js';
export { type HealthServerSources, startHealthServer } from './health/health-server.js';
export { MonitoringModule } from './monitoring.module.js';
export { METRIC_PREFIX, Metrics, type ReadMetric } from './metrics/metrics.js';
export {
  type OperationStats,
  PerformanceMonitor,
  type PerformanceMonitorOptions,
} from './timings/performance-monitor.js';
export { LongLived, RequestTimings, UNKNOWN_ROUTE } from './timings/request-timings.js';
export type { TimingSummary } from './timings/durations.js';
export { Timed } from './timings/timed.decorator.js';
export type { EventLoopStats } from './process/event-loop-monitor.js';
export { ProcessMetrics, type ProcessStats } from './process/process-metrics.js';
export { MetricsService, type ThresholdReport } from './snapshot/metrics.service.js';
export type * from './snapshot/monitoring-snapshot.js';
export { SnapshotSources } from './snapshot/snapshot-sources.js';
