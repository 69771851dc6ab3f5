import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { MONITORING_SETTINGS, type MonitoringSettings } from '../../config/index.js';
import { ERROR_REPORTER, type ErrorReporter, LOGGER, type Logger } from '../../logging/index.js';
import { MetricsService } from '../snapshot/metrics.service.js';

const TASK = 'alert-watch';
const LONGEST_INTERVAL_MS = 10_000;
/** Number of samples within the time that a value must be beyond its limit. */
const SAMPLES_IN_HOLD = 3;

/** Periodically compares the state of this process with the alert limits. */
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
      this.logger.error({ err: error, errorId }, 'could not check the alert limits');
    }
  }
}
