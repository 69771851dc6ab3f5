import { Inject, Injectable } from '@nestjs/common';
import { MONITORING_SETTINGS, type MonitoringSettings } from '../../config/index.js';
import { EventLoopWatch } from './event-loop-watch.js';
import type { HealthReport } from './health-check.js';
import { HealthRegistry } from './health-registry.js';

export type ProbeName = 'live' | 'ready' | 'startup';

/** What the probes ask; the same for the API and the worker. */
@Injectable()
export class HealthService {
  private shuttingDown = false;
  private started: HealthReport | undefined;

  constructor(
    private readonly registry: HealthRegistry,
    private readonly loop: EventLoopWatch,
    @Inject(MONITORING_SETTINGS) private readonly settings: MonitoringSettings,
  ) {}

  /** From now on `ready` says no, so that no new work is sent here. */
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

  /** The process and its event loop: nothing but itself is asked, so that a lost database never restarts it. */
  live(): HealthReport {
    const delayMs = Math.round(this.loop.sustainedDelayMs);
    const isStuck = delayMs > this.settings.HEALTH_EVENT_LOOP_MAX_DELAY_MS;
    return {
      process: { status: 'up', durationMs: 0, details: { uptimeSeconds: Math.round(process.uptime()) } },
      eventLoop: {
        status: isStuck ? 'down' : 'up',
        durationMs: 0,
        details: { delayMs },
        ...(isStuck && { reason: `each turn has been late by ${delayMs} ms or more for a while` }),
      },
    };
  }

  /** Work can be done here, and no shutdown has begun. */
  async ready(): Promise<HealthReport> {
    if (this.shuttingDown) return this.leaving();
    const report = await this.registry.run('ready');
    // It may have begun while the checks ran.
    return this.isLeaving() ? this.leaving() : report;
  }

  /** All is there that the start has to do. Once it was so it stays so: what is lost later is told by `ready`. */
  async startup(): Promise<HealthReport> {
    if (this.started) return this.started;
    const report = await this.registry.run('startup');
    if (Object.values(report).every(({ status }) => status !== 'down')) this.started = report;
    return report;
  }

  private isLeaving(): boolean {
    return this.shuttingDown;
  }

  private leaving(): HealthReport {
    return { shutdown: { status: 'down', reason: 'shutting down', durationMs: 0 } };
  }
}
