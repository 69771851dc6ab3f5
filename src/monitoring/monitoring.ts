import { Inject, Injectable } from '@nestjs/common';
import { type Metric, Registry } from 'prom-client';
import { MONITORING_SETTINGS, type MonitoringSettings } from '../config/index.js';
import type { Contribution, SnapshotSection } from './contribution.js';
import { CachedCheck } from './health/cached-check.js';
import type { HealthCheck, HealthReport, ProbeWithChecks } from './health/health-check.js';

/** How long the result of a health check is reused, milliseconds. */
export const HEALTH_CACHE_MS = 1000;

/** Members of the snapshot that monitoring adds itself. */
const reservedSections: ReadonlySet<string> = new Set([
  'at',
  'service',
  'status',
  'health',
  'slow',
  'alerts',
]);

/**
 * Collects what modules contribute: metrics, health checks and sections of the snapshot. A module calls
 * `contribute` in the constructor or in `onModuleInit` of one of its providers.
 */
@Injectable()
export class Monitoring {
  readonly registry = new Registry();
  readonly sections: SnapshotSection[] = [];
  private readonly checks: Record<ProbeWithChecks, CachedCheck[]> = { ready: [], startup: [] };

  constructor(@Inject(MONITORING_SETTINGS) private readonly settings: MonitoringSettings) {}

  /**
   * @throws Error if there is already a metric, a check of the same probe, or a member of the snapshot with
   * this name
   */
  contribute<Section>({ metrics = [], health = [], snapshot }: Contribution<Section>): void {
    // The registry only uses the name and `get` of a metric.
    for (const metric of metrics) this.registry.registerMetric(metric as unknown as Metric);
    for (const check of health) this.addCheck(check);
    if (!snapshot) return;
    if (reservedSections.has(snapshot.name) || this.sections.some(({ name }) => name === snapshot.name))
      throw new Error(`the snapshot already has a section "${snapshot.name}"`);
    this.sections.push(snapshot);
  }

  /** Returns all metrics in the Prometheus text format. */
  async metricsText(): Promise<{ contentType: string; body: string }> {
    return { contentType: this.registry.contentType, body: await this.registry.metrics() };
  }

  /** Runs the checks of a probe concurrently. Never rejects. */
  async check(probe: ProbeWithChecks): Promise<HealthReport> {
    const results = this.checks[probe].map(
      async (cached) => [cached.check.name, await cached.result()] as const,
    );
    return Object.fromEntries(await Promise.all(results));
  }

  /** Returns the checks of `ready` for which an alert is raised while they are not up. */
  checksWithAlert(): (HealthCheck & { alertTitle: string })[] {
    return this.checks.ready.flatMap(({ check }) =>
      check.alertTitle === undefined ? [] : [{ ...check, alertTitle: check.alertTitle }],
    );
  }

  private addCheck(check: HealthCheck): void {
    const { HEALTH_CHECK_TIMEOUT_MS: longest } = this.settings;
    // A probe responds when its slowest check has finished. A check that cannot fail the probe must not delay
    // one that can.
    const { name, kind, probe = 'ready', timeoutMs = kind === 'degrading' ? longest / 2 : longest } = check;
    const checks = this.checks[probe];
    if (checks.some((other) => other.check.name === name))
      throw new Error(`the probe "${probe}" already has a health check named "${name}"`);
    checks.push(new CachedCheck(check, { timeoutMs, cacheMs: HEALTH_CACHE_MS }));
  }
}
