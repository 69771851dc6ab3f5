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
