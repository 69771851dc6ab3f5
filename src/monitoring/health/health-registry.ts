import { Inject, Injectable } from '@nestjs/common';
import { MONITORING_SETTINGS, type MonitoringSettings } from '../../config/index.js';
import { CachedCheck, reportOf } from './cached-check.js';
import type { HealthCheck, HealthReport } from './health-check.js';

/** How long the outcome of a check serves the probes that follow, milliseconds. */
export const HEALTH_CACHE_MS = 1000;

/** The checks of all modules. Those above monitoring register their own when they are created. */
@Injectable()
export class HealthRegistry {
  private readonly checks: Record<'ready' | 'startup', CachedCheck[]> = { ready: [], startup: [] };

  constructor(@Inject(MONITORING_SETTINGS) private readonly settings: MonitoringSettings) {}

  /** @throws Error when the probe has a check of the name */
  register(check: HealthCheck): void {
    const { HEALTH_CHECK_TIMEOUT_MS: longest } = this.settings;
    // A probe is answered when its last check is: one that cannot fail it must not hold up the news of one that does.
    const { name, kind, probe = 'ready', timeoutMs = kind === 'degrading' ? longest / 2 : longest } = check;
    const checks = this.checks[probe];
    if (checks.some((other) => other.check.name === name))
      throw new Error(`two health checks of the probe "${probe}" are named "${name}"`);
    checks.push(new CachedCheck(check, { timeoutMs, cacheMs: HEALTH_CACHE_MS }));
  }

  run(probe: 'ready' | 'startup'): Promise<HealthReport> {
    return reportOf(this.checks[probe]);
  }
}
