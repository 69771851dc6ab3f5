import { loadSettings } from '../../config/index.js';
import type { Measured } from '../snapshot/snapshot-reader.js';
import { AlertRules, type Measurement } from './alert-rules.js';

const traffic = { count: 100, errorRatio: 0.5, ratePerSecond: 2, p50Ms: 1, p95Ms: 2000, p99Ms: 3000 };

const measured: Measured = {
  at: '2026-01-01T00:00:00.000Z',
  service: {
    name: 'colloquy',
    version: '1',
    instance: 'host:1',
    node: 'v20',
    uptimeSeconds: 1,
    monitoring: 'on',
  },
  requests: { ...traffic, routes: [] },
  database: {
    kind: 'mongodb',
    connected: true,
    pool: { open: 10, inUse: 10, waiting: 7, max: 10 },
    total: { ...traffic, p95Ms: 40 },
    commands: [],
    pingMs: 1,
  },
  process: {
    rssBytes: 300,
    memoryLimitBytes: 1000,
    heapUsedBytes: 90,
    heapLimitBytes: 100,
    eventLoopLagP99Ms: 12,
    eventLoopUtilisation: 0.5,
    gcPauseP99Ms: null,
    cpuCores: 1,
    openFiles: null,
    maxOpenFiles: null,
  },
  cache: {
    hitRatio: 0.4,
    lookups: 1000,
    lookupsPerSecond: 16,
    entries: 1,
    memoryBytes: 1,
    maxMemoryBytes: 2,
    evictions: 0,
  },
  sessions: null,
  queues: [{ name: 'mail', waiting: 1, active: 0, delayed: 0, failed: 0, oldestWaitingMs: 5000 }],
  transcripts: {
    queued: 1,
    processing: 0,
    completed: 0,
    dead: 0,
    retries: 0,
    oldestMs: 700,
    indexVectors: 0,
    indexBytes: 0,
  },
  disk: { freeBytes: 123, totalBytes: 1230, freeRatio: 0.1 },
  redis: { enabled: true, up: false },
  health: {
    ready: true,
    checks: {
      database: { status: 'up', durationMs: 1 },
      redis: { status: 'degraded', durationMs: 1 },
      disk: { status: 'down', durationMs: 1 },
    },
  },
  slow: [],
};

const measure = (
  changes: Partial<Measured> = {},
  env: Record<string, string> = {},
): Map<string, Measurement> =>
  new Map(
    new AlertRules(loadSettings(env).monitoring)
      .measure({ ...measured, ...changes })
      .map((measurement) => [measurement.name, measurement]),
  );

const values = (all: Map<string, Measurement>): Record<string, unknown> =>
  Object.fromEntries([...all].map(([name, { value }]) => [name, value]));

describe('AlertRules', () => {
  it('compares what there is with its limits', () => {
    const all = measure();
    expect(values(all)).toEqual({
      error_ratio: 0.5,
      request_p95: 2000,
      database_p95: 40,
      pool_waiting: 7,
      cache_hit_ratio: 0.4,
      'backlog:mail': 5000,
      'backlog:transcripts': 700,
      heap: 0.9,
      memory: 0.3,
      event_loop_lag: 12,
      disk_free: 123,
      database: 0,
      redis: 1,
    });
    expect(all.get('error_ratio')).toMatchObject({
      worse: 'higher',
      levels: { warning: 0.02, critical: 0.1 },
    });
    expect(all.get('cache_hit_ratio')?.worse).toBe('lower');
    expect(all.get('disk_free')).toMatchObject({
      worse: 'lower',
      levels: { warning: 536_870_912, critical: 67_108_864 },
    });
  });

  it('judges no share and no percentile of little traffic', () => {
    const few = { ...traffic, count: 19 };
    const all = measure({
      requests: { ...few, routes: [] },
      database: { ...measured.database, total: few },
      cache: { ...measured.cache, lookups: 499 },
    });
    for (const name of ['error_ratio', 'request_p95', 'database_p95', 'cache_hit_ratio'])
      expect([name, all.get(name)?.value]).toEqual([name, null]);
  });

  it('tells what could not be read from what is well', () => {
    const all = measure({
      queues: null,
      transcripts: null,
      disk: null,
      health: { ready: false, checks: {} },
    });
    for (const name of ['backlog:transcripts', 'disk_free'])
      expect([name, all.get(name)?.value]).toEqual([name, undefined]);
    for (const name of ['backlog:mail', 'database', 'redis']) expect(all.has(name)).toBe(false);
  });

  it('leaves out what is off', () => {
    expect(measure({}, { ALERT_MEMORY_RATIO: 'off' }).has('memory')).toBe(false);
    expect(measure({}, { ALERT_MEMORY_RATIO: '0.1,0.2' }).get('memory')?.levels).toEqual({
      warning: 0.1,
      critical: 0.2,
    });
  });

  it.each([
    ['ALERT_ERROR_RATIO', '0.1'],
    ['ALERT_ERROR_RATIO', '0.1,0.05'],
    ['ALERT_ERROR_RATIO', '0.1,2'],
    ['ALERT_ERROR_RATIO', 'low,high'],
    ['ALERT_CACHE_HIT_RATIO', '0.1,0.5'],
  ])('refuses limits that make no sense: %s=%s', (name, value) => {
    expect(() => loadSettings({ [name]: value })).toThrow(name);
  });
});
