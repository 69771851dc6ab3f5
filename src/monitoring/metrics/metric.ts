import { Counter, Gauge, Histogram } from 'prom-client';
import { withTimeout } from '../../common/index.js';

/** How long a scrape waits for the values of one metric. */
const READ_TIMEOUT_MS = 5000;

/** What `Monitoring` needs of a metric, implemented by prom-client's metrics and `DurationMetric`. */
export interface ExportedMetric {
  get(): Promise<unknown>;
}

type SetValue<Label extends string> = (
  value: number,
  labels?: Readonly<Partial<Record<Label, string>>>,
) => void;

export interface MetricOptions<Label extends string> {
  /** Starts with `colloquy_` and ends with its unit (`_seconds`, `_bytes`); a counter ends with `_total`. */
  name: string;
  help: string;
  /** Labels must have few distinct values: never an id, a tenant or a URL. */
  labelNames?: readonly Label[];
}

export interface ReadMetricOptions<Label extends string> extends MetricOptions<Label> {
  /**
   * For values that are stored elsewhere. Called at each scrape, it passes every current value to `set`. A
   * series that is not set is absent from the scrape, and so are all if this throws or takes longer than 5 s.
   */
  read?: (set: SetValue<Label>) => void | Promise<void>;
}

/**
 * Replaces all series of a metric with those that `read` sets. They are collected before any is replaced,
 * because two scrapes may overlap.
 * @param clear removes the existing series
 */
async function replaceSeries<Label extends string>(
  read: (set: SetValue<Label>) => void | Promise<void>,
  clear: () => void,
  set: SetValue<Label>,
): Promise<void> {
  const values: Parameters<SetValue<Label>>[] = [];
  const reading = async (): Promise<boolean> => {
    await read((...value) => void values.push(value));
    return true;
  };
  const isComplete = await withTimeout(reading(), READ_TIMEOUT_MS, () => false).catch(() => false);
  clear();
  // One metric that cannot be read must not fail the scrape of all others.
  if (!isComplete) return;
  for (const value of values) set(...value);
}

/** A value that can increase and decrease, either set by the module or read at each scrape. */
export const gauge = <Label extends string = never>({
  read,
  labelNames = [],
  ...options
}: ReadMetricOptions<Label>): Gauge<Label> =>
  new Gauge<Label>({
    ...options,
    labelNames,
    registers: [],
    ...(read && {
      collect(): Promise<void> {
        return replaceSeries(
          read,
          () => {
            // Without labels, `reset` would leave a series with the value 0.
            if (labelNames.length === 0) this.remove();
            else this.reset();
          },
          (value, labels) => {
            this.set(labels ?? {}, value);
          },
        );
      },
    }),
  });

/**
 * A value that only increases while the process runs, either incremented by the module or read at each
 * scrape.
 */
export const counter = <Label extends string = never>({
  read,
  labelNames = [],
  ...options
}: ReadMetricOptions<Label>): Counter<Label> =>
  new Counter<Label>({
    ...options,
    labelNames,
    registers: [],
    ...(read && {
      collect(): Promise<void> {
        return replaceSeries(
          read,
          () => {
            this.reset();
          },
          (value, labels) => {
            this.inc(labels ?? {}, value);
          },
        );
      },
    }),
  });

/** A distribution, observed by the module. `buckets` are upper bounds in ascending order. */
export const histogram = <Label extends string = never>({
  labelNames = [],
  buckets,
  ...options
}: MetricOptions<Label> & { buckets: readonly number[] }): Histogram<Label> =>
  new Histogram<Label>({ ...options, labelNames, buckets: [...buckets], registers: [] });
