export { startErrorReports } from './errors/sentry-reporter.js';
export { type HealthReport, HealthService } from './health.service.js';
export { startHealthServer } from './health-server.js';
export { MonitoringModule } from './monitoring.module.js';
export { METRIC_PREFIX, Metrics } from './metrics/metrics.js';
