import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { SchedulerRegistry } from '@nestjs/schedule';
import { MONITORING_SETTINGS, type MonitoringSettings } from '../../config/index.js';
import { ERROR_REPORTER, type ErrorReporter, LOGGER, type Logger } from '../../logging/index.js';
import { MetricsService } from '../snapshot/metrics.service.js';

const WATCH_JOB = 'alert-watch';
const LONGEST_INTERVAL_MS = 10_000;
/** Samples within the time that an alert must hold. */
const SAMPLES_IN_HOLD = 3;

/** Looks at the limits from time to time, for as long as the process runs. */
@Injectable()
export class AlertWatch implements OnApplicationBootstrap, OnModuleDestroy {
  private running: Promise<void> | undefined;

  constructor(
    private readonly metrics: MetricsService,
    private readonly scheduler: SchedulerRegistry,
    @Inject(MONITORING_SETTINGS) private readonly settings: MonitoringSettings,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(ERROR_REPORTER) private readonly errors: ErrorReporter,
  ) {}

  onApplicationBootstrap(): void {
    const { MONITORING, ALERT_HOLD_MS } = this.settings;
    if (MONITORING === 'off') return;
    const everyMs = Math.min(LONGEST_INTERVAL_MS, Math.ceil(ALERT_HOLD_MS / SAMPLES_IN_HOLD));
    const timer = setInterval(() => {
      this.running ??= this.look().finally(() => (this.running = undefined));
    }, everyMs);
    timer.unref();
    this.scheduler.addInterval(WATCH_JOB, timer);
  }

  async onModuleDestroy(): Promise<void> {
    if (this.scheduler.doesExist('interval', WATCH_JOB)) this.scheduler.deleteInterval(WATCH_JOB);
    await this.running;
  }

  /** Never rejects. */
  private async look(): Promise<void> {
    try {
      await this.metrics.checkThresholds();
    } catch (error) {
      const errorId = this.errors.report(error, { throttle: WATCH_JOB, tags: { during: WATCH_JOB } });
      this.logger.error({ err: error, errorId }, 'the limits of alerts could not be looked at');
    }
  }
}
