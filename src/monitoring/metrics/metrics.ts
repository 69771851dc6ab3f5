import { Injectable } from '@nestjs/common';
import { Registry } from 'prom-client';

/** Begins the name of every metric of ours. */
export const METRIC_PREFIX = 'colloquy_';

/** What one process tells Prometheus. Rooms register their own metrics with it, in seconds, bytes and `_total`s. */
@Injectable()
export class Metrics {
  readonly registry = new Registry();

  /** In Prometheus' text format. */
  async text(): Promise<{ contentType: string; body: string }> {
    return { contentType: this.registry.contentType, body: await this.registry.metrics() };
  }
}
