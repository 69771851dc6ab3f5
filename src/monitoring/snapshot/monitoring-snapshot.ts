import type { Alert, ServiceStatus } from '../alerts/alert.js';
import type { HealthStatus } from '../health/health-check.js';

/** Milliseconds; null if nothing was timed. */
export interface PercentilesMs {
  p50Ms: number | null;
  p95Ms: number | null;
  p99Ms: number | null;
}

/** Number of runs of an operation, failures and durations. */
export interface OperationFigures extends PercentilesMs {
  count: number;
  /** Share of failed runs, 0 to 1. */
  errorRatio: number;
}

/** Figures of the last minute, excluding requests of probes and scrapers. */
export interface TrafficFigures extends OperationFigures {
  ratePerSecond: number;
}

/** Figures of one route such as `POST /v1/messages`, over the last five minutes. */
export interface RouteFigures extends OperationFigures {
  route: string;
}

/**
 * Requests of one route, or database commands of one shape, that took longer than the limit (SLOW_REQUEST_MS,
 * SLOW_QUERY_MS). `at`, `durationMs`, `plan`, `route`, `tenantId` and `requestId` are those of the latest
 * run.
 */
export interface SlowOperation {
  /** ISO 8601. */
  at: string;
  kind: 'request' | 'database';
  /** Method and route template, or the shape of the command; never contains values. */
  what: string;
  /** Number of slow runs. Counting restarts after 15 minutes without one. */
  count: number;
  durationMs: number;
  maxMs: number;
  totalMs: number;
  /** How the database executed it: `IXSCAN(tenant_participant) FETCH`, `COLLSCAN`. */
  plan?: string;
  route?: string;
  tenantId?: string;
  requestId?: string;
}

export interface RequestsSection extends TrafficFigures {
  /** The most frequent routes, at most 20. */
  routes: RouteFigures[];
}

export interface ProcessSection {
  rssBytes: number;
  /** Memory available to the process: the limit of its container, or the memory of the machine. */
  memoryLimitBytes: number;
  heapUsedBytes: number;
  heapLimitBytes: number;
  /** Over the last 10 s. */
  eventLoopLagP99Ms: number;
  /** Share of the last 10 s in which the event loop was busy, 0 to 1. */
  eventLoopUtilisation: number;
  /** Over the last minute; null if there was no pause. */
  gcPauseP99Ms: number | null;
  /** Processor time per second since the last snapshot: 1 means that one core was fully used. */
  cpuCores: number;
  /** Null if the operating system does not report it. */
  openFiles: number | null;
  maxOpenFiles: number | null;
}

/** The disk of DATA_DIR. */
export interface DiskSection {
  freeBytes: number;
  totalBytes: number;
  freeRatio: number;
}

export interface HealthSection {
  /** Whether /health/ready returns 200. */
  ready: boolean;
  checks: Record<string, { status: HealthStatus; reason?: string; durationMs: number }>;
}

/** A snapshot without status and alerts, which are derived from it. */
export interface Measured {
  /** ISO 8601. */
  at: string;
  service: {
    name: string;
    version: string;
    /** Host name and process id. */
    instance: string;
    node: string;
    uptimeSeconds: number;
    /** Whether requests and commands are timed and alerts are raised (MONITORING). */
    monitoring: 'on' | 'off';
  };
  health: HealthSection;
  /** Ordered by total time, descending; at most 10. */
  slow: SlowOperation[];
  /** The sections contributed by modules, by name; null if a section could not be read. */
  [section: string]: unknown;
}

/**
 * The state of one process, as JSON. Names of numbers end with their unit; ratios are 0 to 1.
 * `ServiceSnapshot` in `src/admin` is the type with the sections of all modules.
 */
export interface MonitoringSnapshot extends Measured {
  /**
   * critical: there is a critical alert, or the process is not ready. degraded: there is a warning, or a
   * check is degraded.
   */
  status: ServiceStatus;
  alerts: {
    active: Alert[];
    /** Ended alerts, latest first, at most 100. */
    recent: Alert[];
  };
}
