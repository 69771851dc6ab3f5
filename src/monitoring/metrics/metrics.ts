import { Injectable } from '@nestjs/common';
import { Counter, Gauge, Registry } from 'prom-client';

/** Begins the name of every metric of ours. */
export const METRIC_PREFIX = 'colloquy_';

/** A metric whose numbers are kept elsewhere and read when Prometheus asks. */
export interface ReadMetric<Label extends string> {
  name: string;
  help: string;
  labelNames?: readonly Label[];
  /** Tells each number there is now; one that is not told is absent. */
  read: (tell: (value: number, labels?: Readonly<Partial<Record<Label, string>>>) => void) => void;
}

/** What one process tells Prometheus. Rooms register their own metrics with it, in seconds, bytes and `_total`s. */
@Injectable()
export class Metrics {
  readonly registry = new Registry();

  /** In Prometheus' text format. */
  async text(): Promise<{ contentType: string; body: string }> {
    return { contentType: this.registry.contentType, body: await this.registry.metrics() };
  }

  /** A number that goes up and down. */
  readGauge<Label extends string = never>({ name, help, labelNames = [], read }: ReadMetric<Label>): void {
    new Gauge<Label>({
      name,
      help,
      labelNames,
      registers: [this.registry],
      collect() {
        // Without labels a reset leaves a 0.
        if (labelNames.length === 0) this.remove();
        else this.reset();
        read((value, labels) => {
          this.set(labels ?? {}, value);
        });
      },
    });
  }

  /** A sum that only grows while the process runs; its name ends with `_total`. */
  readCounter<Label extends string = never>({ name, help, labelNames = [], read }: ReadMetric<Label>): void {
    new Counter<Label>({
      name,
      help,
      labelNames,
      registers: [this.registry],
      collect() {
        this.reset();
        read((value, labels) => {
          this.inc(labels ?? {}, value);
        });
      },
    });
  }
}
