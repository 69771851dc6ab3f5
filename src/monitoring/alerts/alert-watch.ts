import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { MONITORING_SETTINGS, type MonitoringSettings } from '../../config/index.js';
import { ERROR_REPORTER, type ErrorReporter, LOGGER, type Logger } from '../../logging/index.js';
import { MetricsService } from '../snapshot/metrics.service.js';

const TASK = 'alert-watch';
const LONGEST_INTERVAL_MS = 10_000;
/** Samples within the time that an alert must hold. */
const SAMPLES_IN_HOLD = 3;

/** Compares the process with its limits periodically. */
@Injectable()
export class AlertWatch implements OnApplicationBootstrap, OnModuleDestroy {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;

  constructor(
    private readonly metrics: MetricsService,
    @Inject(MONITORING_SETTINGS) private readonly settings: MonitoringSettings,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(ERROR_REPORTER) private readonly errors: ErrorReporter,
  ) {}

  onApplicationBootstrap(): void {
    const { MONITORING, ALERT_HOLD_MS } = this.settings;
    if (MONITORING === 'off') return;
    const everyMs = Math.min(LONGEST_INTERVAL_MS, Math.ceil(ALERT_HOLD_MS / SAMPLES_IN_HOLD));
    this.timer = setInterval(() => {
      this.running ??= this.check().finally(() => (this.running = undefined));
    }, everyMs).unref();
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }

  /** Never rejects. */
  private async check(): Promise<void> {
    try {
      await this.metrics.checkThresholds();
    } catch (error) {
      const errorId = this.errors.report(error, { throttle: TASK, tags: { during: TASK } });
      this.logger.error({ err: error, errorId }, 'the limits of alerts could not be checked');
    }
  }
}
