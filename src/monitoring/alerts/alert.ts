import type { AlertLevels } from '../../config/index.js';

export type AlertSeverity = 'warning' | 'critical';

/** The worst of what is wrong: nothing, a warning, something critical. */
export type ServiceStatus = 'healthy' | 'degraded' | 'critical';

/**
 * What `value` and `limit` of an alert are: milliseconds, a share of 1, a number of things, bytes; state: 1 while something
 * is degraded, 2 while it is down.
 */
export type AlertUnit = 'ms' | 'ratio' | 'count' | 'bytes' | 'state';

/** Something that was beyond its limit for a while. Plain JSON. */
export interface Alert {
  /** Unique; the same from the begin to the end. */
  id: string;
  /** What was beyond its limit: `request_p95`, `backlog:transcripts`. */
  name: string;
  /** As it is now; of an ended alert, the worst it was. */
  severity: AlertSeverity;
  /** For people: what, how much, which limit. */
  message: string;
  /** As last seen; of an ended alert, the one it ended with. */
  value: number;
  /** The limit of this severity. */
  limit: number;
  unit: AlertUnit;
  /** ISO 8601: since when it is beyond the limit, which is earlier than when the alert was raised. */
  startedAt: string;
  /** ISO 8601: when it was cleared; null while it lasts. */
  endedAt: string | null;
}

/** A value and its limits. */
export interface MeasuredValue {
  /** Unique in the application; the name of the alert. */
  name: string;
  /** Start of the alert's message: `The p95 of requests`. */
  title: string;
  unit: AlertUnit;
  /** Whether values above or below the limits are bad. Default: `higher`. */
  worse?: 'higher' | 'lower';
  /** Null: no limits are set (`off`), so no alert is raised. */
  levels: AlertLevels | null;
  /** Null: too little is known to judge, which counts as good. Undefined: it could not be read, so an alert stays as it is. */
  value: number | null | undefined;
}

/** A value that has limits. */
export type Measurement = Required<MeasuredValue> & { levels: AlertLevels };
