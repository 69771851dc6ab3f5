import { Inject, Injectable } from '@nestjs/common';
import { type Metric, Registry } from 'prom-client';
import { MONITORING_SETTINGS, type MonitoringSettings } from '../config/index.js';
import type { Contribution, SnapshotSection } from './contribution.js';
import { CachedCheck } from './health/cached-check.js';
import type { HealthCheck, HealthReport, ProbeWithChecks } from './health/health-check.js';

/** How long the outcome of a health check is reused, milliseconds. */
export const HEALTH_CACHE_MS = 1000;

/**
 * Collects what the modules contribute: metrics, health checks and sections of the snapshot. A module calls `contribute` in the
 * constructor or in `onModuleInit` of one of its providers.
 */
@Injectable()
export class Monitoring {
  readonly registry = new Registry();
  readonly sections: SnapshotSection[] = [];
  private readonly checks: Record<ProbeWithChecks, CachedCheck[]> = { ready: [], startup: [] };

  constructor(@Inject(MONITORING_SETTINGS) private readonly settings: MonitoringSettings) {}

  /** @throws Error when a metric, a check of the same probe or a section of the same name exists already */
  contribute<Section>({ metrics = [], health = [], snapshot }: Contribution<Section>): void {
    // The registry only uses the name and `get` of a metric.
    for (const metric of metrics) this.registry.registerMetric(metric as unknown as Metric);
    for (const check of health) this.addCheck(check);
    if (!snapshot) return;
    if (this.sections.some(({ name }) => name === snapshot.name))
      throw new Error(`two modules contribute the section "${snapshot.name}" of the snapshot`);
    this.sections.push(snapshot);
  }

  /** All metrics in Prometheus' text format. */
  async metricsText(): Promise<{ contentType: string; body: string }> {
    return { contentType: this.registry.contentType, body: await this.registry.metrics() };
  }

  /** Runs the checks of a probe in parallel. Never rejects. */
  async check(probe: ProbeWithChecks): Promise<HealthReport> {
    const results = this.checks[probe].map(
      async (cached) => [cached.check.name, await cached.result()] as const,
    );
    return Object.fromEntries(await Promise.all(results));
  }

  /** The checks of `ready` that raise an alert while they are not up. */
  checksWithAlert(): (HealthCheck & { alertTitle: string })[] {
    return this.checks.ready.flatMap(({ check }) =>
      check.alertTitle === undefined ? [] : [{ ...check, alertTitle: check.alertTitle }],
    );
  }

  private addCheck(check: HealthCheck): void {
    const { HEALTH_CHECK_TIMEOUT_MS: longest } = this.settings;
    // A probe responds when its slowest check has. A check that cannot fail the probe must not delay one that can.
    const { name, kind, probe = 'ready', timeoutMs = kind === 'degrading' ? longest / 2 : longest } = check;
    const checks = this.checks[probe];
    if (checks.some((other) => other.check.name === name))
      throw new Error(`two health checks of the probe "${probe}" are named "${name}"`);
    checks.push(new CachedCheck(check, { timeoutMs, cacheMs: HEALTH_CACHE_MS }));
  }
}
