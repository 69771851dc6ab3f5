/** `degraded`: works, but not as it should; the probe still returns 200. */
export type HealthStatus = 'up' | 'degraded' | 'down';

/** Which endpoint asks, beside `live`, which runs no checks: `/health/ready` or `/health/startup`. */
export type ProbeWithChecks = 'ready' | 'startup';

/** Figures of a finding, each name with its unit (`ageMs`, `freeBytes`); shown to operators only. */
export type HealthDetails = Readonly<Record<string, string | number | boolean | null>>;

export interface HealthFinding {
  status: HealthStatus;
  /** Why it is not up; shown to operators only. */
  reason?: string;
  details?: HealthDetails;
}

/** One thing that a probe checks. */
export interface HealthCheck {
  /** Unique within its probe; public. */
  name: string;
  /**
   * `required`: the process can do no work without it, so the probe returns 503 while it is down. `degrading`: at worst `degraded`, and the
   * probe returns 200.
   */
  kind: 'required' | 'degrading';
  /** Default: `ready`. */
  probe?: ProbeWithChecks;
  /** An error counts as down, with its message as the reason. */
  run(): HealthFinding | Promise<HealthFinding>;
  /** Longest run, milliseconds. Default: HEALTH_CHECK_TIMEOUT_MS, or half of it for a `degrading` check. */
  timeoutMs?: number;
  /** Raises an alert while the check of `ready` is not up; this is the start of the alert's message: `The database`. */
  alertTitle?: string;
}

/** The outcome of one run. */
export interface HealthResult extends HealthFinding {
  /** How long it took, milliseconds. */
  durationMs: number;
}

/** Outcomes by the names of checks. */
export type HealthReport = Record<string, HealthResult>;
