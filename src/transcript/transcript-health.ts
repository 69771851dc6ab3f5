import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { MONITORING_SETTINGS, type MonitoringSettings } from '../config/index.js';
import { type HealthFinding, HealthRegistry } from '../monitoring/index.js';
import { TranscriptJournal } from './transcript-journal.js';

/** Whether transcripts can be accepted, and how long those that were wait. Other routes need neither: degraded at worst once started. */
@Injectable()
export class TranscriptHealth implements OnModuleInit {
  constructor(
    private readonly health: HealthRegistry,
    private readonly journal: TranscriptJournal,
    @Inject(MONITORING_SETTINGS) private readonly settings: MonitoringSettings,
  ) {}

  onModuleInit(): void {
    this.health.register({
      name: 'journal',
      kind: 'required',
      probe: 'startup',
      run: () => (this.journal.isOpen ? { status: 'up' } : { status: 'down', reason: 'not open yet' }),
    });
    this.health.register({ name: 'transcripts', kind: 'degrading', run: () => this.look() });
  }

  private look(): HealthFinding {
    if (!this.journal.isOpen) return { status: 'degraded', reason: 'the journal is not open' };
    const { failing, waiting, oldestMs } = this.journal.stats();
    const details = { waiting: waiting.count, oldestMs: Math.round(oldestMs) };
    if (failing)
      return {
        status: 'degraded',
        reason: 'the journal cannot be written, transcripts are refused',
        details,
      };
    if (oldestMs > this.settings.HEALTH_BACKLOG_MAX_AGE_MS)
      return {
        status: 'degraded',
        reason: `a transcript has been waiting for ${Math.round(oldestMs / 1000)} s`,
        details,
      };
    return { status: 'up', details };
  }
}
