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
  /** Failures of all, 0 to 1. */
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

/** `find`; over the last five minutes. */
export interface CommandFigures extends OperationFigures {
  command: string;
}

/** A request or a database command that took longer than its limit (SLOW_REQUEST_MS, SLOW_QUERY_MS). */
export interface SlowOperation {
  /** ISO 8601. */
  at: string;
  kind: 'request' | 'database';
  /** Method and template of the route, or the shape of the command: never a value. */
  what: string;
  durationMs: number;
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

export interface DatabaseSection {
  kind: 'embedded' | 'mongodb';
  connected: boolean;
  pool: { open: number; inUse: number; waiting: number; max: number };
  /** All commands together. */
  total: TrafficFigures;
  /** The most frequent first, 20 at most. */
  commands: CommandFigures[];
  /** Median of the last pings, one every 30 s; null before the first answer. */
  pingMs: number | null;
}

export interface ProcessSection {
  rssBytes: number;
  /** What the process may use: the limit of its container, else the memory of the machine. */
  memoryLimitBytes: number;
  heapUsedBytes: number;
  heapLimitBytes: number;
  /** Over the last 10 s. */
  eventLoopLagP99Ms: number;
  /** Share of the last 10 s at work, 0 to 1. */
  eventLoopUtilisation: number;
  /** Of the last minute; null when there was none. */
  gcPauseP99Ms: number | null;
  /** Processor time by time since the last snapshot: 1 is one core at work. */
  cpuCores: number;
  /** Null where the system does not tell. */
  openFiles: number | null;
  maxOpenFiles: number | null;
}

/** All tiers together, unless named. */
export interface CacheSection {
  /** Over the last minute, 0 to 1; null while nothing was asked. */
  hitRatio: number | null;
  /** Within that minute. */
  lookups: number;
  lookupsPerSecond: number;
  entries: number;
  memoryBytes: number;
  maxMemoryBytes: number;
  /** Since the start. */
  evictions: number;
}

/** Counts are since the start. */
export interface SessionsSection {
  /** In the memory of this process. */
  held: number;
  max: number;
  memoryBytes: number;
  /** Sessions opened, by the tier that had them; `none`: new ones. */
  opens: { l1: number; l2: number; database: number; none: number };
  /** Writes that were refused since there was another version. */
  conflicts: number;
  evictions: number;
}

/** One queue, all processes together. */
export interface QueueFigures {
  name: string;
  waiting: number;
  active: number;
  delayed: number;
  failed: number;
  /** How long the job that waits longest has done so; 0 when none waits. */
  oldestWaitingMs: number;
}

/** What waits is of all processes together; completed, dead and retries are of this process since its start. */
export interface TranscriptsSection {
  queued: number;
  processing: number;
  completed: number;
  dead: number;
  retries: number;
  /** How long the oldest that waits has done so; 0 when none waits. */
  oldestMs: number;
  indexVectors: number;
  indexBytes: number;
}

/** The disk of DATA_DIR. */
export interface DiskSection {
  freeBytes: number;
  totalBytes: number;
  freeRatio: number;
}

export interface HealthSection {
  /** Whether /health/ready answers 200. */
  ready: boolean;
  checks: Record<string, { status: HealthStatus; reason?: string; durationMs: number }>;
}

/**
 * What one process knows of itself, and of queues for all processes together. Plain JSON; the unit of a number is the end of its
 * name, and ratios are 0 to 1. A section is null while it could not be read (the database does not answer, the disk is gone).
 */
export interface MonitoringSnapshot {
  /** ISO 8601. */
  at: string;
  service: {
    name: string;
    version: string;
    /** Host and process id. */
    instance: string;
    node: string;
    uptimeSeconds: number;
    /** Whether requests, commands and limits are watched (MONITORING). */
    monitoring: 'on' | 'off';
  };
  /** critical: a critical alert, or not ready. degraded: a warning, or a degraded check. */
  status: ServiceStatus;
  requests: RequestsSection;
  database: DatabaseSection;
  process: ProcessSection;
  cache: CacheSection;
  /** Null in a process without the module. */
  sessions: SessionsSection | null;
  queues: QueueFigures[] | null;
  transcripts: TranscriptsSection | null;
  disk: DiskSection | null;
  redis: { enabled: boolean; up: boolean };
  health: HealthSection;
  /** The latest first, 50 at most. */
  slow: SlowOperation[];
  alerts: {
    active: Alert[];
    /** Ended ones, the latest first, 100 at most. */
    recent: Alert[];
  };
}
