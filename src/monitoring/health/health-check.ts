/** `degraded`: works, but not as it should; a probe that finds it still answers 200. */
export type HealthStatus = 'up' | 'degraded' | 'down';

/** Figures beside a finding, each name with its unit (`ageMs`, `freeBytes`); told to operators alone. */
export type HealthDetails = Readonly<Record<string, string | number | boolean | null>>;

export interface HealthFinding {
  status: HealthStatus;
  /** Why it is not up; told to operators alone. */
  reason?: string;
  details?: HealthDetails;
}

/** One thing that a probe looks at. */
export interface HealthCheck {
  /** Unique within its probe; everybody may read it. */
  name: string;
  /** required: without it the process can do no work, the probe answers 503. degrading: at worst `degraded`, which is 200. */
  kind: 'required' | 'degrading';
  /** Which probe asks; `ready` by default. */
  probe?: 'ready' | 'startup';
  /** A throw counts as down, with the error's message as the reason. */
  run(): HealthFinding | Promise<HealthFinding>;
  /** Longest wait for an answer, milliseconds; HEALTH_CHECK_TIMEOUT_MS by default, half of it when degrading. */
  timeoutMs?: number;
}

/** The outcome of one run. */
export interface HealthResult extends HealthFinding {
  /** How long it took, milliseconds. */
  durationMs: number;
}

/** Outcomes by the names of checks. */
export type HealthReport = Record<string, HealthResult>;
