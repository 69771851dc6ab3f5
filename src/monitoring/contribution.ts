import type { MeasuredValue } from './alerts/alert.js';
import type { HealthCheck } from './health/health-check.js';
import type { ExportedMetric } from './metrics/metric.js';

/** A module's part of `GET /v1/monitoring`: plain JSON under one key. */
export interface SnapshotSection<Section = unknown> {
  /** The key; unique in the application. */
  name: string;
  /** Reads the section. It is null while this returns null, throws, or takes longer than 1.5 s. */
  read(): Section | null | Promise<Section | null>;
  /** Values of the section that raise an alert when they are beyond their limits. `section` is null as above. */
  alerts?(section: Section | null): MeasuredValue[];
}

/** What a module adds to monitoring; each part is optional. See `Monitoring.contribute`. */
export interface Contribution<Section = unknown> {
  /** Made with `counter`, `gauge` and `histogram`; served by `GET /metrics`. */
  metrics?: readonly ExportedMetric[];
  /** Checks that `/health/ready` and `/health/startup` run. */
  health?: readonly HealthCheck[];
  snapshot?: SnapshotSection<Section>;
}
