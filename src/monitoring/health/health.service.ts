import { Inject, Injectable } from '@nestjs/common';
import { MONITORING_SETTINGS, type MonitoringSettings } from '../../config/index.js';
import { Monitoring } from '../monitoring.js';
import { EventLoopWatch } from './event-loop-watch.js';
import type { HealthReport, ProbeWithChecks } from './health-check.js';

export type ProbeName = 'live' | ProbeWithChecks;

/** Produces the reports for the health probes, which are the same in API and worker. */
@Injectable()
export class HealthService {
  private shuttingDown = false;
  private started: HealthReport | undefined;

  constructor(
    private readonly monitoring: Monitoring,
    private readonly loop: EventLoopWatch,
    @Inject(MONITORING_SETTINGS) private readonly settings: MonitoringSettings,
  ) {}

  /** From now on `ready` reports down, so that load balancers send no new requests. */
  beginShutdown(): void {
    this.shuttingDown = true;
  }

  report(probe: ProbeName): Promise<HealthReport> {
    switch (probe) {
      case 'live':
        return Promise.resolve(this.live());
      case 'ready':
        return this.ready();
      case 'startup':
        return this.startup();
    }
  }

  /**
   * Checks only the process and its event loop, not its dependencies: a lost database must not cause a
   * restart.
   */
  live(): HealthReport {
    const delayMs = Math.round(this.loop.sustainedDelayMs);
    const isStuck = delayMs > this.settings.HEALTH_EVENT_LOOP_MAX_DELAY_MS;
    return {
      process: { status: 'up', durationMs: 0, details: { uptimeSeconds: Math.round(process.uptime()) } },
      eventLoop: {
        status: isStuck ? 'down' : 'up',
        durationMs: 0,
        details: { delayMs },
        ...(isStuck && {
          reason: `every turn of the event loop has been delayed by at least ${delayMs} ms for some time`,
        }),
      },
    };
  }

  /** Whether the process can do its work and is not shutting down. */
  async ready(): Promise<HealthReport> {
    if (this.shuttingDown) return this.shutdownReport();
    const report = await this.monitoring.check('ready');
    // The shutdown may have begun while the checks ran.
    return this.isShuttingDown() ? this.shutdownReport() : report;
  }

  /**
   * Whether the start is complete. Once it is, the report no longer changes; later failures are reported by
   * `ready`.
   */
  async startup(): Promise<HealthReport> {
    if (this.started) return this.started;
    const report = await this.monitoring.check('startup');
    if (Object.values(report).every(({ status }) => status !== 'down')) this.started = report;
    return report;
  }

  private isShuttingDown(): boolean {
    return this.shuttingDown;
  }

  private shutdownReport(): HealthReport {
    return { shutdown: { status: 'down', reason: 'shutting down', durationMs: 0 } };
  }
}
