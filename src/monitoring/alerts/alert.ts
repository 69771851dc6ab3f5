import type { AlertLevels } from '../../config/index.js';

export type AlertSeverity = 'warning' | 'critical';

/**
 * healthy: no active alert, and all checks are up. degraded: a warning, or a check that is not up. critical:
 * a critical alert, or the process is not ready.
 */
export type ServiceStatus = 'healthy' | 'degraded' | 'critical';

/**
 * Unit of `value` and `limit`: milliseconds, a ratio of 0 to 1, a count, bytes, or a state, which is 1 while
 * degraded and 2 while down.
 */
export type AlertUnit = 'ms' | 'ratio' | 'count' | 'bytes' | 'state';

/** A value that was beyond its limit for some time. Plain JSON. */
export interface Alert {
  /** Unique; the same from start to end. */
  id: string;
  /** Which value was beyond its limit: `request_p95`, `backlog:transcripts`. */
  name: string;
  /** The current severity; for an ended alert, the highest. */
  severity: AlertSeverity;
  /** Human-readable: title, value and limit. */
  message: string;
  /** The latest value; for an ended alert, the last one. */
  value: number;
  /** The limit of this severity. */
  limit: number;
  unit: AlertUnit;
  /** ISO 8601. When the value first exceeded the limit, which is before the alert was raised. */
  startedAt: string;
  /** ISO 8601. When the alert was cleared; null while it is active. */
  endedAt: string | null;
}

/** A value and its limits. */
export interface MeasuredValue {
  /** Unique in the application; the name of the alert. */
  name: string;
  /** Start of the alert's message: `The p95 of requests`. */
  title: string;
  unit: AlertUnit;
  /** Whether higher or lower values are worse. Default: `higher`. */
  worse?: 'higher' | 'lower';
  /** Null: no limits are configured (`off`), so no alert is raised. */
  levels: AlertLevels | null;
  /**
   * Null: there is too little data, which counts as within the limits. Undefined: the value could not be
   * read, so an active alert is kept.
   */
  value: number | null | undefined;
}

/** A value with limits. */
export type Measurement = Required<MeasuredValue> & { levels: AlertLevels };
