import type { Alert, ServiceStatus } from '../alerts/alert.js';
import type { HealthStatus } from '../health/health-check.js';

/** Milliseconds; null while nothing was timed. */
export interface PercentilesMs {
  p50Ms: number | null;
  p95Ms: number | null;
  p99Ms: number | null;
}

/** How often something ran, how often it failed, and how long it took. */
export interface OperationFigures extends PercentilesMs {
  count: number;
  /** Share of failures, 0 to 1. */
  errorRatio: number;
}

/** Over the last minute. Probes and scrapes are not counted. */
export interface TrafficFigures extends OperationFigures {
  ratePerSecond: number;
}

/** `POST /v1/messages`; over the last five minutes. */
export interface RouteFigures extends OperationFigures {
  route: string;
}

/**
 * Requests of one route, or database commands of one shape, that took longer than their limit (SLOW_REQUEST_MS, SLOW_QUERY_MS). `at`,
 * `durationMs`, `plan`, `route`, `tenantId` and `requestId` are those of the latest one.
 */
export interface SlowOperation {
  /** ISO 8601. */
  at: string;
  kind: 'request' | 'database';
  /** Method and template of the route, or the shape of the command: never a value. */
  what: string;
  /** How many there were, until none came for 15 minutes. */
  count: number;
  durationMs: number;
  maxMs: number;
  totalMs: number;
  /** How the database ran it: `IXSCAN(tenant_participant) FETCH`, `COLLSCAN`. */
  plan?: string;
  route?: string;
  tenantId?: string;
  requestId?: string;
}

export interface RequestsSection extends TrafficFigures {
  /** The busiest first, 20 at most. */
  routes: RouteFigures[];
}

export interface ProcessSection {
  rssBytes: number;
  /** What the process may use: the limit of its container, or the memory of the machine. */
  memoryLimitBytes: number;
  heapUsedBytes: number;
  heapLimitBytes: number;
  /** Over the last 10 s. */
  eventLoopLagP99Ms: number;
  /** Share of the last 10 s in which it was busy, 0 to 1. */
  eventLoopUtilisation: number;
  /** Over the last minute; null when there was none. */
  gcPauseP99Ms: number | null;
  /** Processor time per second since the last snapshot: 1 is one core fully used. */
  cpuCores: number;
  /** Null where the operating system does not report it. */
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

/** A snapshot without what is concluded from it. */
export interface Measured {
  /** ISO 8601. */
  at: string;
  service: {
    name: string;
    version: string;
    /** Host and process id. */
    instance: string;
    node: string;
    uptimeSeconds: number;
    /** Whether requests, commands and limits are monitored (MONITORING). */
    monitoring: 'on' | 'off';
  };
  health: HealthSection;
  /** The greatest total time first, 10 at most. */
  slow: SlowOperation[];
  /** The sections that modules contribute, by name; null while one could not be read. */
  [section: string]: unknown;
}

/**
 * What one process knows of itself, as JSON. The unit of a number is the end of its name, and ratios are 0 to 1. The type with the
 * sections of all modules is `ServiceSnapshot` in `src/admin`.
 */
export interface MonitoringSnapshot extends Measured {
  /** critical: a critical alert, or not ready. degraded: a warning, or a degraded check. */
  status: ServiceStatus;
  alerts: {
    active: Alert[];
    /** Ended ones, the latest first, 100 at most. */
    recent: Alert[];
  };
}
