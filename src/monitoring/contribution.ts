import type { MeasuredValue } from './alerts/alert.js';
import type { HealthCheck } from './health/health-check.js';
import type { ExportedMetric } from './metrics/metric.js';

/** A module's section of `GET /v1/monitoring`: plain JSON under one key. */
export interface SnapshotSection<Section = unknown> {
  /** The key; unique in the application. */
  name: string;
  /** Reads the section. The section is null if this returns null, throws, or takes longer than 1.5 s. */
  read(): Section | null | Promise<Section | null>;
  /**
   * Values of the section that raise an alert when they exceed their limits. `section` may be null as
   * described above.
   */
  alerts?(section: Section | null): MeasuredValue[];
}

/** What a module contributes to monitoring; each part is optional. See `Monitoring.contribute`. */
export interface Contribution<Section = unknown> {
  /** Created with `counter`, `gauge` and `histogram`; exported by `GET /metrics`. */
  metrics?: readonly ExportedMetric[];
  /** Checks that run in `/health/ready` or `/health/startup`. */
  health?: readonly HealthCheck[];
  snapshot?: SnapshotSection<Section>;
}
