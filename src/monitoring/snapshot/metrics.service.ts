import { Injectable } from '@nestjs/common';
import type { Alert, ServiceStatus } from '../alerts/alert.js';
import { AlertPublisher } from '../alerts/alert-publisher.js';
import { AlertTracker } from '../alerts/alert-tracker.js';
import type { Measured, MonitoringSnapshot } from './monitoring-snapshot.js';
import { SnapshotReader, type SnapshotReading } from './snapshot-reader.js';

/** How long a reading is reused, milliseconds. */
export const SNAPSHOT_CACHE_MS = 1000;

export interface ThresholdReport {
  status: ServiceStatus;
  /** The active alerts. */
  alerts: Alert[];
}

/** Provides the snapshot of this process, and compares it with the alert limits. */
@Injectable()
export class MetricsService {
  private last: { at: number; reading: SnapshotReading } | undefined;
  private flight: Promise<SnapshotReading> | undefined;
  /** The last reading that was compared with the limits. A reading is compared only once. */
  private lastCompared: SnapshotReading | undefined;

  constructor(
    private readonly reader: SnapshotReader,
    private readonly tracker: AlertTracker,
    private readonly publisher: AlertPublisher,
  ) {}

  /** Cheap enough to call every second: all callers within a second share one reading. Never rejects. */
  async collect(): Promise<MonitoringSnapshot> {
    const { measured } = await this.read();
    return {
      ...measured,
      status: this.statusOf(measured),
      alerts: { active: this.tracker.active(), recent: this.tracker.recent() },
    };
  }

  /**
   * Compares the current values with the limits. Alerts that start, get worse or end are published to the
   * log, error reports and webhook. It runs on a schedule; additional calls do not make an alert start
   * sooner.
   */
  async checkThresholds(): Promise<ThresholdReport> {
    const reading = await this.read();
    const { measured } = reading;
    if (reading !== this.lastCompared) {
      this.lastCompared = reading;
      const changes = this.tracker.update(reading.limited);
      const status = this.statusOf(measured);
      for (const change of changes) this.publisher.publish(change, { status, service: measured.service });
    }
    return { status: this.statusOf(measured), alerts: this.tracker.active() };
  }

  private read(): Promise<SnapshotReading> {
    const { last } = this;
    if (last && performance.now() - last.at < SNAPSHOT_CACHE_MS) return Promise.resolve(last.reading);
    this.flight ??= this.reader
      .read()
      .then((reading) => {
        this.last = { at: performance.now(), reading };
        return reading;
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
