export { startErrorReports } from './errors/sentry-reporter.js';
export type { HealthCheck, HealthFinding } from './health/health-check.js';
export { HealthProbes } from './health/health-probes.js';
export { HealthRegistry } from './health/health-registry.js';
export { HealthService } from './health/health.service.js';
export { type HealthServerSources, startHealthServer } from './health/health-server.js';
export { MonitoringModule } from './monitoring.module.js';
export { METRIC_PREFIX, Metrics } from './metrics/metrics.js';
