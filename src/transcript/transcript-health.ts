import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { MONITORING_SETTINGS, type MonitoringSettings } from '../config/index.js';
import { type HealthFinding, HealthRegistry } from '../monitoring/index.js';
import { TranscriptBacklog } from './transcript-backlog.js';

/**
 * Transcripts that wait for too long. Degraded and never down: all processes see the same backlog, so that a 503 would take every one of them
 * out of service at once.
 */
@Injectable()
export class TranscriptHealth implements OnModuleInit {
  constructor(
    private readonly health: HealthRegistry,
    private readonly backlog: TranscriptBacklog,
    @Inject(MONITORING_SETTINGS) private readonly settings: MonitoringSettings,
  ) {}

  onModuleInit(): void {
    this.health.register({ name: 'transcripts', kind: 'degrading', run: () => this.look() });
  }

  private async look(): Promise<HealthFinding> {
    const figures = await this.backlog.figures();
    if (!figures) return { status: 'degraded', reason: 'transcripts that wait cannot be counted' };
    const { queued, processing, oldestMs } = figures;
    const details = { waiting: queued + processing, oldestMs };
    if (oldestMs <= this.settings.HEALTH_BACKLOG_MAX_AGE_MS) return { status: 'up', details };
    return {
      status: 'degraded',
      reason: `a transcript has been waiting for ${Math.round(oldestMs / 1000)} s`,
      details,
    };
  }
}
