/** `degraded`: works with limitations; the probe still returns 200. */
export type HealthStatus = 'up' | 'degraded' | 'down';

/**
 * The endpoint in which a check runs: `/health/ready` or `/health/startup`. `/health/live` has no such
 * checks.
 */
export type ProbeWithChecks = 'ready' | 'startup';

/** Figures, named with their unit (`ageMs`, `freeBytes`). Shown only to operators. */
export type HealthDetails = Readonly<Record<string, string | number | boolean | null>>;

export interface HealthFinding {
  status: HealthStatus;
  /** Why the check is not up. Shown only to operators. */
  reason?: string;
  details?: HealthDetails;
}

/** One check of a probe. */
export interface HealthCheck {
  /** Unique within its probe; public. */
  name: string;
  /**
   * `required`: the process cannot work without it, so the probe returns 503 while it is down. `degrading`:
   * it is reported as `degraded` at worst, and the probe returns 200.
   */
  kind: 'required' | 'degrading';
  /** Default: `ready`. */
  probe?: ProbeWithChecks;
  /** A rejection is treated as down, with the error message as the reason. */
  run(): HealthFinding | Promise<HealthFinding>;
  /** Timeout, milliseconds. Default: HEALTH_CHECK_TIMEOUT_MS, or half of it for a `degrading` check. */
  timeoutMs?: number;
  /**
   * If set, an alert is raised while this check of `ready` is not up. The alert's message starts with this
   * text: `The database`.
   */
  alertTitle?: string;
}

/** The result of one run. */
export interface HealthResult extends HealthFinding {
  /** Duration of the run, milliseconds. */
  durationMs: number;
}

/** Results by the name of the check. */
export type HealthReport = Record<string, HealthResult>;
