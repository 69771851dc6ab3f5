import { Injectable } from '@nestjs/common';
import type { Alert, ServiceStatus } from '../alerts/alert.js';
import { AlertPublisher } from '../alerts/alert-publisher.js';
import { AlertRules } from '../alerts/alert-rules.js';
import { AlertTracker } from '../alerts/alert-tracker.js';
import type { MonitoringSnapshot } from './monitoring-snapshot.js';
import { type Measured, SnapshotReader } from './snapshot-reader.js';

/** How long what was read serves those who ask, milliseconds. */
export const SNAPSHOT_CACHE_MS = 1000;

export interface ThresholdReport {
  status: ServiceStatus;
  /** Those that last. */
  alerts: Alert[];
}

/** One picture of the whole process, and what is wrong in it. */
@Injectable()
export class MetricsService {
  private last: { at: number; measured: Measured } | undefined;
  private flight: Promise<Measured> | undefined;
  /** The picture that was judged last: none is judged twice. */
  private judged: Measured | undefined;

  constructor(
    private readonly reader: SnapshotReader,
    private readonly rules: AlertRules,
    private readonly tracker: AlertTracker,
    private readonly publisher: AlertPublisher,
  ) {}

  /** Cheap enough for once a second, however many ask: they share one reading, which serves for a second. Never rejects. */
  async collect(): Promise<MonitoringSnapshot> {
    const measured = await this.measure();
    return {
      ...measured,
      status: this.statusOf(measured),
      alerts: { active: this.tracker.active(), recent: this.tracker.recent() },
    };
  }

  /**
   * Compares with the limits, and tells log, error reports and webhook of alerts that begin, get worse or end. It is called on a schedule; more
   * calls make no alert begin sooner than it would.
   */
  async checkThresholds(): Promise<ThresholdReport> {
    const measured = await this.measure();
    if (measured !== this.judged) {
      this.judged = measured;
      const changes = this.tracker.update(this.rules.measure(measured));
      const status = this.statusOf(measured);
      for (const change of changes) this.publisher.publish(change, { status, service: measured.service });
    }
    return { status: this.statusOf(measured), alerts: this.tracker.active() };
  }

  private measure(): Promise<Measured> {
    const { last } = this;
    if (last && performance.now() - last.at < SNAPSHOT_CACHE_MS) return Promise.resolve(last.measured);
    this.flight ??= this.reader
      .read()
      .then((measured) => {
        this.last = { at: performance.now(), measured };
        return measured;
      })
      .finally(() => (this.flight = undefined));
    return this.flight;
  }

  private statusOf({ health }: Measured): ServiceStatus {
    const active = this.tracker.active();
    if (!health.ready || active.some(({ severity }) => severity === 'critical')) return 'critical';
    const isDegraded = Object.values(health.checks).some(({ status }) => status !== 'up');
    return isDegraded || active.length > 0 ? 'degraded' : 'healthy';
  }
}
