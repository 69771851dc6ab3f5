export type {
  Alert,
  AlertSeverity,
  AlertUnit,
  MeasuredValue,
  Measurement,
  ServiceStatus,
} from './alerts/alert.js';
export type { Contribution, SnapshotSection } from './contribution.js';
export { startErrorReports } from './errors/sentry-reporter.js';
export type { HealthCheck, HealthFinding, HealthResult } from './health/health-check.js';
export { HealthService } from './health/health.service.js';
export { DurationMetric } from './metrics/duration-metric.js';
export { counter, type ExportedMetric, gauge, histogram } from './metrics/metric.js';
export { Monitoring } from './monitoring.js';
export { MonitoringModule } from './monitoring.module.js';
export { MetricsService, type ThresholdReport } from './snapshot/metrics.service.js';
export type * from './snapshot/monitoring-snapshot.js';
export type { Durations, TimingSummary } from './timings/durations.js';
export { operationFigures, trafficFigures } from './timings/figures.js';
export { PerformanceMonitor, type PerformanceMonitorOptions } from './timings/performance-monitor.js';
export { RateLimit } from './timings/rate-limit.js';
export { LongLived, MONITORING_ROUTES, RequestTimings, UNKNOWN_ROUTE } from './timings/request-timings.js';
export { SlowOperations, type SlowRun } from './timings/slow-operations.js';
export { Timed } from './timings/timed.decorator.js';
export type { OperationStats } from './timings/timings-table.js';
export { TrafficMeter } from './timings/traffic-meter.js';
