import { Counter, Gauge, Histogram } from 'prom-client';

/** What `Monitoring` uses of a metric: those of prom-client, and `DurationMetric`. */
export interface ExportedMetric {
  get(): Promise<unknown>;
}

type SetValue<Label extends string> = (
  value: number,
  labels?: Readonly<Partial<Record<Label, string>>>,
) => void;

export interface MetricOptions<Label extends string> {
  /** Starts with `colloquy_`; ends with its unit (`_seconds`, `_bytes`), a counter's with `_total`. */
  name: string;
  help: string;
  /** Labels must have few values: never an id, a tenant or a URL. */
  labelNames?: readonly Label[];
}

export interface ReadMetricOptions<Label extends string> extends MetricOptions<Label> {
  /**
   * For numbers that are kept elsewhere: called at each scrape, it passes each current value to `set`. A series that is not set is absent
   * from the scrape.
   */
  read?: (set: SetValue<Label>) => void | Promise<void>;
}

/**
 * Replaces all series of a metric by those that `read` sets. They are collected first, because two scrapes may overlap.
 * @param clear removes the series that there are
 */
async function replaceSeries<Label extends string>(
  read: (set: SetValue<Label>) => void | Promise<void>,
  clear: () => void,
  set: SetValue<Label>,
): Promise<void> {
  const values: Parameters<SetValue<Label>>[] = [];
  await read((...value) => void values.push(value));
  clear();
  for (const value of values) set(...value);
}

/** A number that goes up and down: either set by the module, or read at each scrape. */
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
            // Without labels, a reset would leave a 0.
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

/** A sum that only grows while the process runs: either incremented by the module, or read at each scrape. */
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

/** A distribution, observed by the module. `buckets`: upper bounds, ascending. */
export const histogram = <Label extends string = never>({
  labelNames = [],
  buckets,
  ...options
}: MetricOptions<Label> & { buckets: readonly number[] }): Histogram<Label> =>
  new Histogram<Label>({ ...options, labelNames, buckets: [...buckets], registers: [] });
