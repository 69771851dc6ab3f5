import { AsyncLocalStorage } from 'node:async_hooks';
import type { Logger } from '../../logging/index.js';
import { ChartHistory, HISTORY_STEP_SECONDS } from './chart-history.js';
import { chartPoint, type ChartPoint } from './chart-point.js';
import { RateWindow } from './rate-window.js';
import type { ServiceSnapshot } from './service-snapshot.js';

/** The data that viewers receive in each turn. */
export interface DashboardSample {
  snapshot: ServiceSnapshot;
  point: ChartPoint;
  /** Since when the status has been the same, as observed by this process (ISO 8601). */
  statusSince: string;
}

export interface SamplerOptions {
  collect: () => Promise<ServiceSnapshot>;
  logger: Logger;
  /** Whether a history is recorded while there are no viewers. */
  keepsHistory: boolean;
}

/** Takes snapshots for the dashboard: for viewers, and every 10 s for the history. */
export class DashboardSampler {
  private readonly history = new ChartHistory();
  private readonly stored = new RateWindow();
  /** Runs timers outside of the request that started them. */
  private readonly outside = AsyncLocalStorage.snapshot();
  private timer: NodeJS.Timeout | undefined;
  private collecting: Promise<DashboardSample | undefined> | undefined;
  private latest: { sample: DashboardSample; takenAt: number } | undefined;
  private hasFailed = false;

  constructor(private readonly options: SamplerOptions) {}

  start(): void {
    if (!this.options.keepsHistory) return;
    this.timer ??= this.outside(() =>
      setInterval(() => void this.take(0), HISTORY_STEP_SECONDS * 1000).unref(),
    );
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  columns(): ReturnType<ChartHistory['columns']> {
    return this.history.columns();
  }

  get isCollecting(): boolean {
    return this.collecting !== undefined;
  }

  /**
   * Returns a sample that is at most `maxAgeMs` old, or undefined when none is available. Concurrent callers
   * share the sample that is being taken.
   */
  take(maxAgeMs: number): Promise<DashboardSample | undefined> {
    const { latest } = this;
    if (latest && performance.now() - latest.takenAt <= maxAgeMs) return Promise.resolve(latest.sample);
    this.collecting ??= this.outside(() => this.collect()).finally(() => {
      this.collecting = undefined;
    });
    return this.collecting;
  }

  private async collect(): Promise<DashboardSample | undefined> {
    try {
      const snapshot = await this.options.collect();
      const sample = this.sampleOf(snapshot);
      this.latest = { sample, takenAt: performance.now() };
      this.history.add(sample.point);
      this.hasFailed = false;
      return sample;
    } catch (error) {
      if (!this.hasFailed)
        this.options.logger.error({ err: error }, 'the dashboard could not take a snapshot');
      this.hasFailed = true;
      return undefined;
    }
  }

  private sampleOf(snapshot: ServiceSnapshot): DashboardSample {
    const before = this.latest?.sample;
    const isAsBefore = before?.snapshot.status === snapshot.status;
    const { transcripts } = snapshot;
    const perMinute =
      transcripts && this.stored.perMinute(Date.parse(snapshot.at) / 1000, transcripts.completed);
    return {
      snapshot,
      point: chartPoint(snapshot, perMinute),
      statusSince: isAsBefore ? before.statusSince : snapshot.at,
    };
  }
}
