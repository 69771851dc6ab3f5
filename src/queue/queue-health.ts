import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { MONITORING_SETTINGS, type MonitoringSettings } from '../config/index.js';
import { type HealthFinding, HealthRegistry } from '../monitoring/index.js';
import { JobRepository } from './job.repository.js';
import { QueueRegistry } from './queue-registry.js';

/**
 * Jobs that wait for too long. Degraded and never down: all processes see the same queues, so that a 503 would take every one of them out
 * of service at once, and the API, which needs no job to be done, would be gone as well.
 */
@Injectable()
export class QueueHealth implements OnModuleInit {
  constructor(
    private readonly health: HealthRegistry,
    private readonly queues: QueueRegistry,
    private readonly jobs: JobRepository,
    @Inject(MONITORING_SETTINGS) private readonly settings: MonitoringSettings,
  ) {}

  onModuleInit(): void {
    this.health.register({ name: 'queues', kind: 'degrading', run: () => this.look() });
  }

  private async look(): Promise<HealthFinding> {
    let oldest = { queue: '', ageMs: 0 };
    for (const { name } of this.queues.all()) {
      const since = await this.jobs.oldestWaiting(name);
      const ageMs = since ? Date.now() - since.getTime() : 0;
      if (ageMs > oldest.ageMs) oldest = { queue: name, ageMs };
    }
    const details = { oldestMs: oldest.ageMs };
    if (oldest.ageMs <= this.settings.HEALTH_BACKLOG_MAX_AGE_MS) return { status: 'up', details };
    return {
      status: 'degraded',
      reason: `a job of queue "${oldest.queue}" has been waiting for ${Math.round(oldest.ageMs / 1000)} s`,
      details,
    };
  }
}
