import { Durations } from '../timings/durations.js';
import type { ExportedMetric, MetricOptions } from './metric.js';

export interface DurationMetricOptions<Label extends string> extends MetricOptions<Label> {
  labelNames: readonly Label[];
  /** Upper bounds in seconds. Each must be one of the bounds that `Durations` can export. */
  buckets: readonly number[];
  now?: () => number;
}

interface Series<Label extends string> {
  labels: Readonly<Record<Label, string | number>>;
  durations: Durations;
}

/** The format that prom-client's registry prints. */
interface PrintedMetric {
  name: string;
  help: string;
  type: 'histogram';
  aggregator: 'sum';
  values: ShownValue[];
}

interface ShownValue {
  metricName: string;
  labels: Readonly<Record<string, string | number>>;
  value: number;
}

/**
 * A Prometheus histogram based on `Durations`, which also provides percentiles, so that each duration is
 * recorded only once.
 */
export class DurationMetric<Label extends string> implements ExportedMetric {
  readonly name: string;
  private readonly known = new Map<string, Series<Label>>();
  private readonly boundsMs: readonly number[];

  constructor(private readonly options: DurationMetricOptions<Label>) {
    this.name = options.name;
    this.boundsMs = options.buckets.map((seconds) => seconds * 1000);
  }

  /**
   * Returns the series with these labels, which the caller should keep. If it is created, `onNew` is called
   * with it.
   */
  series(
    labels: Readonly<Record<Label, string | number>>,
    onNew?: (durations: Durations) => void,
  ): Durations {
    const { labelNames, now } = this.options;
    const text = labelNames.map((label) => labels[label]).join('\0');
    const known = this.known.get(text);
    if (known) return known.durations;
    const durations = new Durations(now);
    this.known.set(text, { labels, durations });
    onNew?.(durations);
    return durations;
  }

  get(): Promise<PrintedMetric> {
    const { name, help } = this.options;
    const values = [...this.known.values()].flatMap((series) => this.valuesOf(series));
    return Promise.resolve({ name, help, type: 'histogram', aggregator: 'sum', values });
  }

  private valuesOf({ labels, durations }: Series<Label>): ShownValue[] {
    const total = durations.total();
    const counts = total.cumulative(this.boundsMs);
    const bucket = (le: number | string, value: number): ShownValue => ({
      metricName: `${this.name}_bucket`,
      labels: { ...labels, le },
      value,
    });
    return [
      ...this.options.buckets.map((seconds, index) => bucket(seconds, counts[index] ?? 0)),
      bucket('+Inf', total.count),
      { metricName: `${this.name}_sum`, labels, value: total.sumMs / 1000 },
      { metricName: `${this.name}_count`, labels, value: total.count },
    ];
  }
}
