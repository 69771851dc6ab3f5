import { AsyncLocalStorage } from 'node:async_hooks';
import type { Logger } from '../../logging/index.js';
import { ChartHistory, HISTORY_STEP_SECONDS } from './chart-history.js';
import { chartPoint, type ChartPoint } from './chart-point.js';
import { RateWindow } from './rate-window.js';
import type { ServiceSnapshot } from './service-snapshot.js';

/** What a viewer is told at a time. */
export interface DashboardSample {
  snapshot: ServiceSnapshot;
  point: ChartPoint;
  /** ISO 8601: since when the status is what it is, as far as this process has seen. */
  statusSince: string;
}

export interface SamplerOptions {
  collect: () => Promise<ServiceSnapshot>;
  logger: Logger;
  /** Whether numbers are kept while nobody looks. */
  keepsHistory: boolean;
}

/** Takes snapshots for the dashboard: for whoever looks, and every 10 s for the history. */
export class DashboardSampler {
  private readonly history = new ChartHistory();
  private readonly stored = new RateWindow();
  /** Timers belong to no request, whoever started them. */
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

  /** A sample of `maxAgeMs` at most; undefined when there is none to be had. Who comes meanwhile gets the one that is being taken. */
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
      if (!this.hasFailed) this.options.logger.error({ err: error }, 'the dashboard got no snapshot');
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
